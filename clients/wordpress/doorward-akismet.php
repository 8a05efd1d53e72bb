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
    $is_check = substr($path, -14) === '/comment-check';
    $answer = wp_remote_request(rtrim(DOORWARD_URL, '/') . $path, $request);
    if (!$is_check) return $answer;
    // Without a name for the check the plugin publishes the comment for good, whatever a proxy in between said. With one, it holds what is neither
    // true nor false, and asks about it again.
    if (wp_remote_retrieve_header($answer, 'x-akismet-guid') === '') {
        return array('headers' => array('x-akismet-guid' => wp_generate_uuid4()), 'body' => 'unavailable', 'cookies' => array(),
            'response' => array('code' => 503, 'message' => 'Service Unavailable'), 'filename' => null);
    }
    return $answer;
}, 10, 3);
