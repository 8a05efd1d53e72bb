<?php
/**
 * Plugin Name: Akismet by Doorward
 * Description: The Akismet plugin, unmodified, asks your own Doorward. Goes into wp-content/mu-plugins, with DOORWARD_URL in wp-config.php.
 * License: GPL-2.0-or-later
 */
add_filter('pre_http_request', function ($answer, $request, $url) {
    if (!defined('DOORWARD_URL') || wp_parse_url($url, PHP_URL_HOST) !== 'rest.akismet.com') return $answer;
    unset($request['headers']['Host'], $request['headers']['host']);
    $path = preg_replace('~^https?://[^/]+~', '', $url);
    $answer = wp_remote_request(rtrim(DOORWARD_URL, '/') . $path, $request);
    // Without an answer the plugin publishes the comment for good. What is neither true nor false it holds, and asks about again.
    if (!is_wp_error($answer) || !str_ends_with($path, '/comment-check')) return $answer;
    return array('headers' => array('x-akismet-guid' => wp_generate_uuid4()), 'body' => 'unavailable', 'cookies' => array(),
        'response' => array('code' => 503, 'message' => 'Service Unavailable'), 'filename' => null);
}, 10, 3);
