<?php // The test's own part of WordPress: nothing goes outside, mail goes nowhere, and wpDiscuz' request ends where wpDiscuz ends it.
if (defined('DOORWARD_URL') && !headers_sent()) header('X-Leads-To: ' . DOORWARD_URL);
add_filter('pre_http_request', function ($answer, $request, $url) {
    if ($answer !== false || wp_parse_url($url, PHP_URL_HOST) === '127.0.0.1') return $answer;
    return new WP_Error('outside', "refused: $url");
}, 99, 3);
function wp_mail($to, $subject, $message, $headers = '', $attachments = array()) {
    return true;
}
// The fields that wpDiscuz' addComment hands to wp_new_comment (tests/clients/requests/wpdiscuz.json says whence).
add_action('wp_ajax_nopriv_wpdAddComment', function () {
    $said = wp_unslash($_POST);
    $id = wp_new_comment(wp_slash(array('user_id' => 0, 'comment_post_ID' => (int) $said['postId'], 'comment_parent' => 0, 'comment_author' => $said['wc_name'],
        'comment_author_email' => $said['wc_email'], 'comment_content' => $said['wc_comment'], 'comment_author_url' => $said['wc_website'],
        'comment_agent' => $_SERVER['HTTP_USER_AGENT'], 'comment_type' => 'comment')), true);
    is_wp_error($id) ? wp_send_json_error($id->get_error_message()) : wp_send_json_success(array('new_comment_id' => $id));
});
