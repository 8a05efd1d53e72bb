<?php
/**
 * Plugin Name: Doorward
 * Description: Comments are checked by your own Doorward before they are published. What moderators decide there comes back by signed webhook.
 * Version: 0.1.0
 * Requires at least: 6.0
 * Requires PHP: 7.4
 * License: GPL-2.0-or-later
 *
 * A comment goes to POST /v1/comments before it is stored. Approved: published; held: pending; rejected: spam. Without an answer it is
 * pending too, and asked about again by WP-Cron under the same id, which Doorward takes for the same comment.
 */
namespace Doorward;

defined('ABSPATH') || exit;

const OPTION = 'doorward';
const AGAIN = 'doorward_again';
/** The status with which Doorward refused a decision that was made here. */
const REFUSED = 'doorward_refused';
/** Comment meta: our id, Doorward's uid, the last version heard of, what Doorward was not yet told ('check', 'edit' or an action), and what it was sent first. */
const ID = 'doorward_id', UID = 'doorward_uid', VERSION = 'doorward_version', DUE = 'doorward_due', SENT = 'doorward_sent';
/** And when it was last tried to tell it. */
const TRIED = 'doorward_tried';

/** A setting: DOORWARD_URL, DOORWARD_KEY, DOORWARD_WEBHOOK_SECRET and DOORWARD_TOKEN in wp-config.php stand over the page. */
function setting($name) {
    $constant = 'DOORWARD_' . strtoupper($name);
    return trim((string) (defined($constant) ? constant($constant) : (get_option(OPTION, array())[$name] ?? '')));
}

/** A request to Doorward: the status, 0 where there was no answer, and what the answer holds. */
function call($method, $path, $body = null, $as = 'key') {
    if (setting('url') === '' || setting($as) === '') return array(0, null);
    $answer = wp_remote_request(rtrim(setting('url'), '/') . $path, array(
        'method' => $method, 'timeout' => 5, 'redirection' => 0, 'body' => $body === null ? null : wp_json_encode($body),
        'headers' => array('Authorization' => 'Bearer ' . setting($as), 'Content-Type' => 'application/json'),
    ));
    if (is_wp_error($answer)) return array(0, null);
    return array((int) wp_remote_retrieve_response_code($answer), json_decode(wp_remote_retrieve_body($answer), true));
}

/** A comment as Doorward reads it. */
function described($id, array $comment) {
    $post = get_post((int) $comment['comment_post_ID']);
    $user = empty($comment['user_id']) ? false : get_userdata((int) $comment['user_id']);
    $parent = empty($comment['comment_parent']) ? '' : get_comment_meta((int) $comment['comment_parent'], ID, true);
    $plain = function ($text) { return html_entity_decode(wp_strip_all_tags((string) $text), ENT_QUOTES, 'UTF-8'); };
    $names = function ($taxonomy) use ($post) { return array_values(wp_get_object_terms($post->ID, $taxonomy, array('fields' => 'names'))); };
    $sections = $post && is_object_in_taxonomy($post, 'category') ? wp_get_object_terms($post->ID, 'category', array('fields' => 'slugs')) : array();
    $article = array('id' => (string) (int) $comment['comment_post_ID'], 'lang' => get_bloginfo('language'));
    if ($post) {
        $article += array('url' => get_permalink($post), 'title' => $plain(get_the_title($post)),
            'text' => mb_strcut($plain(strip_shortcodes($post->post_content)), 0, 100000), 'section' => (string) reset($sections),
            'tags' => is_object_in_taxonomy($post, 'post_tag') ? $names('post_tag') : array());
    }
    $author = array('name' => $comment['comment_author'] ?? '', 'email' => $comment['comment_author_email'] ?? '',
        'url' => $comment['comment_author_url'] ?? '', 'ip' => $comment['comment_author_IP'] ?? '', 'user_agent' => $comment['comment_agent'] ?? '');
    if ($user) {
        $author += array('id' => 'user-' . $user->ID, 'role' => (string) reset($user->roles),
            'registered_at' => gmdate('Y-m-d\TH:i:s\Z', strtotime($user->user_registered . ' UTC')));
    }
    return array_filter(array('id' => $id, 'article' => array_filter($article), 'parent_id' => $parent, 'author' => array_filter($author),
        'body' => $comment['comment_content'], 'format' => 'html',
        'created_at' => gmdate('Y-m-d\TH:i:s\Z', strtotime(($comment['comment_date_gmt'] ?? 'now') . ' UTC'))));
}

/** The fields of a comment's row that describe it. */
function row($comment_id) {
    return (array) get_comment($comment_id, ARRAY_A);
}

/* A visitor's comment, before it is stored. */

add_filter('pre_comment_approved', function ($approved, $comment) {
    global $doorward_asked; // [our id, the answer, or null where there was none, about which comment, and what was sent]
    $comment = wp_unslash($comment);
    // What WordPress itself refuses, what is only edited (edit_comment sees to that), and moderators' own words.
    if (is_wp_error($approved) || $approved === 'spam' || $approved === 'trash' || !empty($comment['comment_ID'])) return $approved;
    if (!empty($comment['user_id']) && user_can((int) $comment['user_id'], 'moderate_comments')) return $approved;
    // WordPress asks before and after it filters the text: it is asked about once, as it was written.
    $which = md5(wp_json_encode(array_map(function ($field) use ($comment) { return $comment[$field] ?? ''; },
        array('comment_post_ID', 'comment_parent', 'comment_author_email', 'comment_author_IP', 'comment_date_gmt'))));
    if (($doorward_asked[2] ?? '') === $which) return verdict($doorward_asked[1], $approved);
    $id = 'wp-' . wp_generate_uuid4();
    $body = described($id, $comment) + array_filter(array(
        'honeypot' => sanitize_text_field(wp_unslash($_POST['doorward_trap'] ?? '')), 'typing_ms' => (int) ($_POST['doorward_ms'] ?? 0),
        'referrer' => esc_url_raw(wp_unslash($_SERVER['HTTP_REFERER'] ?? ''))));
    list($status, $told) = call('POST', '/v1/comments', $body);
    $told = in_array($status, array(200, 201), true) ? $told : null;
    $doorward_asked = array($id, $told, $which, $body);
    return verdict($told, $approved);
}, 20, 2);

/** What becomes of a comment in WordPress by what Doorward told. What WordPress' own rules hold (words, links, a first comment, all) stays pending. */
function verdict($told, $approved) {
    switch ($told['status'] ?? '') {
        case 'approved': return $approved;
        case 'rejected': return 'spam';
        default: return 0;
    }
}

add_action('comment_post', function ($comment_id) {
    global $doorward_asked;
    if (!$doorward_asked) return;
    list($id, $told, , $sent) = $doorward_asked;
    $doorward_asked = null;
    add_comment_meta($comment_id, ID, $id, true);
    if ($told) return remember($comment_id, $told);
    add_comment_meta($comment_id, SENT, wp_slash($sent), true);
    due($comment_id, 'check');
}, 1);

function remember($comment_id, array $told) {
    update_comment_meta($comment_id, UID, $told['uid']);
    update_comment_meta($comment_id, VERSION, (int) $told['version']);
    settled($comment_id);
}

/** Doorward was told everything, or will not be. */
function settled($comment_id) {
    delete_comment_meta($comment_id, DUE);
    delete_comment_meta($comment_id, SENT);
    delete_comment_meta($comment_id, TRIED);
}

function due($comment_id, $what) {
    update_comment_meta($comment_id, DUE, $what);
    update_comment_meta($comment_id, TRIED, time());
    if (!wp_next_scheduled(AGAIN)) wp_schedule_single_event(time() + 60, AGAIN);
}

/* What Doorward was not told because it did not answer. */

add_action(AGAIN, function () {
    // What was tried longest ago comes first: what is refused time and again does not keep the rest waiting.
    $all = get_comments(array('meta_query' => array('due' => array('key' => DUE, 'compare' => 'EXISTS'), 'tried' => array('key' => TRIED, 'type' => 'NUMERIC', 'compare' => 'EXISTS')),
        'status' => array('approve', 'hold', 'spam', 'trash'), 'number' => 50, 'orderby' => array('tried' => 'ASC', 'comment_ID' => 'ASC')));
    foreach ($all as $comment) {
        update_comment_meta($comment->comment_ID, TRIED, time());
        $what = get_comment_meta($comment->comment_ID, DUE, true);
        in_array($what, array('check', 'edit'), true) ? check((int) $comment->comment_ID, $what) : decide((int) $comment->comment_ID, $what);
    }
    $left = get_comments(array('meta_key' => DUE, 'status' => array('approve', 'hold', 'spam', 'trash'), 'count' => true));
    if ($left && !wp_next_scheduled(AGAIN)) wp_schedule_single_event(time() + 300, AGAIN);
});

/** Asks about a stored comment, new to Doorward ('check') or changed ('edit'), and does what it answers. */
function check($comment_id, $what, $apply = true) {
    $id = get_comment_meta($comment_id, ID, true);
    list($status, $told) = array(409, null);
    // The same once more, byte for byte: with what only the visitor's request told, and so that Doorward knows it if it had taken it without answering.
    if (!get_comment_meta($comment_id, UID, true)) {
        list($status, $told) = call('POST', '/v1/comments', get_comment_meta($comment_id, SENT, true) ?: described($id, row($comment_id)));
    }
    $is_taken = in_array($status, array(200, 201, 409), true);
    if ($status === 409 || ($is_taken && $what === 'edit')) list($status, $told) = call('PUT', '/v1/comments/' . rawurlencode($id), described($id, row($comment_id)));
    if ($status === 200 || $status === 201) {
        if ($apply) apply($comment_id, $told); else remember($comment_id, $told);
        settled($comment_id);
    } elseif (in_array($status, array(409, 413, 422), true)) {
        settled($comment_id); // it will not be taken another time either: it stays where it is, for a person
    } else {
        due($comment_id, $what);
    }
}

/** Whether WordPress' own rules, which the owner set under Settings, Discussion, would publish a comment. */
function passes($comment_id) {
    $comment = get_comment($comment_id);
    $post = get_post((int) $comment->comment_post_ID);
    if ($post && $comment->user_id && (int) $comment->user_id === (int) $post->post_author) return true;
    return check_comment($comment->comment_author, $comment->comment_author_email, $comment->comment_author_url, $comment->comment_content,
        $comment->comment_author_IP, $comment->comment_agent, $comment->comment_type);
}

/** Gives a comment the status that Doorward told, unless something later was told before. Over WordPress' own rules only a person publishes. */
function apply($comment_id, array $told) {
    global $doorward_applying;
    if ((int) get_comment_meta($comment_id, VERSION, true) >= (int) $told['version']) return;
    remember($comment_id, $told);
    $doorward_applying = true;
    $now = wp_get_comment_status($comment_id);
    $status = $told['status'];
    if ($status === 'approved' && $now !== 'approved' && ($told['decided_by'] ?? '') !== 'person' && !passes($comment_id)) $status = 'held';
    if ($status === 'approved' && $now !== 'approved') wp_set_comment_status($comment_id, 'approve');
    if ($status === 'held' && $now !== 'unapproved') wp_set_comment_status($comment_id, 'hold');
    if ($status === 'rejected' && $now !== 'spam' && $now !== 'trash') wp_spam_comment($comment_id);
    $doorward_applying = false;
}

/* What moderators decide in Doorward. */

add_action('rest_api_init', function () {
    register_rest_route('doorward/v1', '/webhook', array('methods' => 'POST', 'permission_callback' => '__return_true', 'callback' => __NAMESPACE__ . '\hook'));
});

/** Whether the message is signed as Standard Webhooks has it, and at most five minutes old. */
function is_signed($id, $time, $signatures, $body) {
    $secret = base64_decode(preg_replace('/^whsec_/', '', setting('webhook_secret')), true);
    if (!$secret || !ctype_digit((string) $time) || abs(time() - (int) $time) > 300) return false;
    $right = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $secret, true));
    $fits = false;
    foreach (explode(' ', (string) $signatures) as $one) $fits = hash_equals($right, $one) || $fits;
    return $fits;
}

function hook(\WP_REST_Request $request) {
    $signed = is_signed($request->get_header('webhook_id'), $request->get_header('webhook_timestamp'), $request->get_header('webhook_signature'), $request->get_body());
    if (!$signed) return new \WP_REST_Response(null, 401);
    $event = json_decode($request->get_body(), true);
    $told = $event['data'] ?? array();
    $found = get_comments(array('meta_key' => ID, 'meta_value' => (string) ($told['id'] ?? ''), 'status' => array('approve', 'hold', 'spam', 'trash'), 'number' => 1));
    if (!$found) {
        // Either it was deleted here, or it is stored in this moment: then the message should come again.
        $is_young = time() - strtotime($told['received_at'] ?? '@0') < 60;
        return new \WP_REST_Response(null, $is_young ? 503 : 204);
    }
    $comment_id = (int) $found[0]->comment_ID;
    $known = get_comment_meta($comment_id, UID, true);
    if (in_array($event['type'], array('comment.approved', 'comment.held', 'comment.rejected'), true)) apply($comment_id, $told);
    if ($event['type'] === 'comment.erased' && $known === ($told['uid'] ?? '')) wp_trash_comment($comment_id);
    return new \WP_REST_Response(null, 204);
}

/* What moderators decide in WordPress: told under the token of a moderator, where there is one. */

add_action('transition_comment_status', function ($new, $old, $comment) {
    global $doorward_applying;
    $actions = array('approved' => 'approve', 'spam' => 'reject:spam', 'trash' => 'reject:other');
    $is_person = !$doorward_applying && $new !== $old && is_user_logged_in() && current_user_can('moderate_comments');
    if (!$is_person || !isset($actions[$new]) || setting('token') === '' || !get_comment_meta($comment->comment_ID, ID, true)) return;
    if ($old === 'spam' && $new === 'trash') return; // emptying the spam folder is no second opinion
    decide((int) $comment->comment_ID, $actions[$new]);
}, 10, 3);

function decide($comment_id, $what) {
    list($action, $category) = array_pad(explode(':', $what), 2, null);
    list($status, $now) = call('GET', '/v1/comments/' . rawurlencode(get_comment_meta($comment_id, ID, true)));
    if ($status === 404) return settled($comment_id);
    if ($status === 200) {
        $item = array('uid' => $now['uid'], 'seen_version' => $now['version']);
        list($status) = call('POST', '/v1/decisions', array('items' => array($item), 'action' => $action, 'category' => $category), 'token');
        if ($status === 200) {
            delete_option(REFUSED);
            return settled($comment_id);
        }
    }
    if ($status === 401 || $status === 403) { // nor will it be taken another time, until somebody looks at the token
        update_option(REFUSED, $status, false);
        return settled($comment_id);
    }
    due($comment_id, $what);
}

add_action('edit_comment', function ($comment_id) {
    if (get_comment_meta($comment_id, ID, true)) check($comment_id, 'edit', !current_user_can('moderate_comments'));
});

add_action('delete_comment', function ($comment_id) {
    $id = get_comment_meta($comment_id, ID, true);
    if ($id) call('DELETE', '/v1/comments/' . rawurlencode($id)); // needs a key with the scope erase
});

/* A field that only programs fill in, and the time that typing took. */

add_action('comment_form', function () {
    echo '<p style="position:absolute;left:-9999px" aria-hidden="true"><label>', esc_html__('Leave this empty', 'doorward'),
        ' <input name="doorward_trap" tabindex="-1" autocomplete="off"></label></p><input type="hidden" name="doorward_ms" value="">',
        '<script>(function(){var s=document.currentScript,t=Date.now(),f=s.closest("form");',
        'f&&f.addEventListener("submit",function(){f.elements.doorward_ms.value=Date.now()-t})})()</script>';
});

add_action('admin_notices', function () {
    $status = (int) get_option(REFUSED);
    if (!$status || !current_user_can('moderate_comments')) return;
    printf('<div class="notice notice-error"><p>%s</p></div>', esc_html(sprintf(
        __('Doorward refused a decision that was made here (%d), and does not know of it: look at the key and the token under Settings, Doorward, and decide in Doorward.', 'doorward'), $status)));
});

/* Settings. */

add_action('admin_init', function () {
    register_setting(OPTION, OPTION, array('type' => 'array', 'sanitize_callback' => function ($given) {
        $kept = (array) get_option(OPTION, array());
        $given = (array) $given;
        $kept['url'] = isset($given['url']) ? esc_url_raw(trim($given['url'])) : ($kept['url'] ?? '');
        foreach (array('key', 'webhook_secret', 'token') as $name) { // what is secret is never shown: an empty field leaves it as it is
            if (($given[$name] ?? '') !== '') $kept[$name] = sanitize_text_field($given[$name]);
        }
        delete_option(REFUSED);
        return $kept;
    }));
});

add_action('admin_menu', function () {
    add_options_page('Doorward', 'Doorward', 'manage_options', OPTION, __NAMESPACE__ . '\page');
});

function page() {
    list($status) = call('GET', '/v1/comments?limit=1');
    $state = $status === 200 ? __('Doorward answers, and takes the key.', 'doorward')
        : ($status ? sprintf(__('Doorward answers %d: look at the key.', 'doorward'), $status) : __('Doorward does not answer yet.', 'doorward'));
    $fields = array('url' => __('Address of Doorward', 'doorward'), 'key' => __('Site key', 'doorward'),
        'webhook_secret' => __('Webhook secret', 'doorward'), 'token' => __('Token of a moderator (optional): decisions made here are told', 'doorward'));
    echo '<div class="wrap"><h1>Doorward</h1><p><strong>', esc_html($state), '</strong></p><p>', esc_html__('Set as the site\'s webhook in Doorward:', 'doorward'),
        ' <code>', esc_html(rest_url('doorward/v1/webhook')), '</code></p><form method="post" action="options.php">';
    settings_fields(OPTION);
    echo '<table class="form-table">';
    foreach ($fields as $name => $label) {
        $is_fixed = defined('DOORWARD_' . strtoupper($name));
        printf('<tr><th><label for="doorward_%1$s">%2$s</label></th><td><input class="regular-text" id="doorward_%1$s" name="doorward[%1$s]" type="%3$s" value="%4$s" placeholder="%5$s" autocomplete="off"%6$s></td></tr>',
            esc_attr($name), esc_html($label), $name === 'url' ? 'url' : 'password', $name === 'url' ? esc_attr(setting('url')) : '',
            esc_attr($name !== 'url' && setting($name) !== '' ? __('kept as it is', 'doorward') : ''), disabled($is_fixed, true, false));
    }
    echo '</table>';
    submit_button();
    echo '</form></div>';
}

register_uninstall_hook(__FILE__, __NAMESPACE__ . '\uninstall');

function uninstall() {
    delete_option(OPTION);
    delete_option(REFUSED);
    wp_clear_scheduled_hook(AGAIN);
}
