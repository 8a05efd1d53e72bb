"""A real WordPress against a served Doorward: first with its real Akismet plugin, then with the plugin of clients/wordpress.

usage: check.py START_SCRIPT FOLDER
"""
import base64
import hashlib
import hmac
import json
import pathlib
import re
import shutil
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from akismet_clients import SPAM  # noqa: E402
from blog import Blog, HERE, becomes, inputs  # noqa: E402
from front import Front  # noqa: E402
from house import DIRECT, ROOT, House, check, until  # noqa: E402
from sites import DOUBTFUL, post  # noqa: E402


def made_of(house, site, text):
    one = house.comment(site, text)
    return one["status"], one["decided_by"]


def akismet_plugin(house, blog, key):
    page = blog.admin("options-general.php?page=akismet-key-config")
    nonce = re.search(r'name="_wpnonce" value="([^"]+)"', page)
    blog.admin("options-general.php?page=akismet-key-config", {
        "action": "enter-key", "key": key, "_wpnonce": nonce.group(1) if nonce else "", "submit": "Connect with API key"})
    check("the key, typed on the plugin's own page, is taken", blog.sql("select option_value from wp_options where option_name='wordpress_api_key'") == key)

    ham, state = blog.comment("The bakery on the corner opens at six again.")
    check("ham is published", state == "1" and blog.shows("bakery on the corner"), state)
    check("and Doorward has it, approved", made_of(house, "blog", "bakery on the corner")[0] == "approved")
    spam, state = blog.comment(SPAM)
    check("spam is spam in WordPress, and not on the page", state == "spam" and not blog.shows("pills.example"), state)
    check("and rejected in Doorward", made_of(house, "blog", "pills.example")[0] == "rejected")

    good, state = blog.comment("It is whispered that the bridge closes in May.")
    check("a doubtful comment is held", state == "0" and not blog.shows("bridge closes"), state)
    house.decide(house.waiting("blog", "bridge closes"), "approve")
    becomes(blog, good, "1")
    check("a moderator approves it in Doorward: published in WordPress", blog.shows("bridge closes"))
    bad, state = blog.comment("It is whispered that pills are sold below the bridge.")
    house.decide(house.waiting("blog", "below the bridge"), "reject", "spam")
    becomes(blog, bad, "spam")
    check("a moderator rejects another: spam in WordPress", state == "0" and not blog.shows("below the bridge"))
    sung, state = blog.comment("It is whispered that the mayor sings in the bath.")
    house.decide(house.waiting("blog", "sings in the bath"), "reject", "other")
    becomes(blog, sung, "spam")
    house.decide(house.comment("blog", "sings in the bath"), "approve")
    becomes(blog, sung, "1")
    check("a moderator rejects a third, and approves it after all: published", state == "0" and blog.shows("sings in the bath"))

    blog.click("spamcomment", ham)
    check("the administrator's Spam is a decision about that comment",
          blog.state(ham) == "spam" and made_of(house, "blog", "bakery on the corner") == ("rejected", "person"), made_of(house, "blog", "bakery on the corner"))
    category, note = house.note(house.comment("blog", "bakery on the corner"))
    check(f"a labelled one, which says who reported it: {note}", category == "spam" and "admin" in note, category, note)
    blog.click("unspamcomment", spam, "edit-comments.php?comment_status=spam")
    check("the administrator's Not Spam is a decision about that comment",
          made_of(house, "blog", "pills.example") == ("approved", "person"), blog.state(spam), made_of(house, "blog", "pills.example"))
    category, note = house.note(house.comment("blog", "pills.example"))
    check(f"a labelled one, too: {note}", category is None and "not spam by admin" in note, category, note)
    others = [one for one in house.comments("blog") if "whispered" in one["body"]]
    check("and about no other", sorted(one["status"] for one in others) == ["approved", "approved", "rejected"], others)

    waiting, state = blog.comment("It is whispered that the ferry gets a new engine.")
    house.stop()
    away, away_state = blog.comment("The gardens behind the school are in bloom.")
    check("Doorward is away: the comment is held, not published", away_state == "0" and not blog.shows("gardens behind"), away_state)
    house.start()
    blog.php("Akismet::cron_recheck();")
    check("it is there again: the plugin's next look publishes it", blog.state(away) == "1" and blog.shows("gardens behind"), blog.state(away))
    check("and it is one comment in Doorward", made_of(house, "blog", "gardens behind")[0] == "approved")
    house.decide(house.waiting("blog", "new engine"), "approve")
    becomes(blog, waiting, "1")
    check("what waited before the stop is decided after it, and published", state == "0" and blog.shows("new engine"))

    with Front(502) as front:
        blog.lead_to(front.url)
        refused, state = blog.comment("The swans are back on the mill pond.")
        asked = [path for path in front.seen if path.endswith("/comment-check")]
    blog.lead_to(house.url)
    check("a proxy in front answers 502: the comment is held, not published", asked and state == "0" and not blog.shows("mill pond"), asked, state)
    with Front(504, behind=house.url) as front:
        blog.lead_to(front.url)
        lost, state = blog.comment("It is whispered that the mill pond is drained.")
    blog.lead_to(house.url)
    check("a proxy in front loses the answer to a doubtful one: held", state == "0", state)
    house.stop()
    unsure, first = blog.comment("It is whispered that the chapel is for sale.")
    rude, second = blog.comment("It is whispered that the chaplain drinks.")
    plain, third = blog.comment("The chapel has a new organ.")
    check("Doorward is away: all are held", (first, second, third) == ("0", "0", "0"), first, second, third)
    house.start()
    blog.php("Akismet::cron_recheck();")
    check("the plugin's next look publishes what is approved", (blog.state(refused), blog.state(plain)) == ("1", "1"), blog.state(refused), blog.state(plain))
    check("and what is doubtful stays pending", [blog.state(one) for one in (lost, unsure, rude)] == ["0", "0", "0"] and not blog.shows("for sale"))
    blog.php("Akismet::cron_recheck();")
    check("however often it looks", [blog.state(one) for one in (lost, unsure, rude)] == ["0", "0", "0"])
    for text in ("pond is drained", "chapel is for sale"):
        house.decide(house.waiting("blog", text), "approve")
    house.decide(house.waiting("blog", "chaplain drinks"), "reject", "abuse")
    becomes(blog, lost, "1")
    becomes(blog, unsure, "1")
    becomes(blog, rude, "spam")
    check("a moderator decides about them: published, and spam", blog.shows("pond is drained") and blog.shows("for sale"))

    form = json.loads((HERE.parent / "requests/wpdiscuz.json").read_text(encoding="utf-8"))["form"]
    discuz, state = blog.wpdiscuz(form, "It is whispered, in wpDiscuz' form, that the clock is late.")
    check("by wpDiscuz' request, a doubtful comment is held", state == "0", state)
    house.decide(house.waiting("blog", "the clock is late"), "approve")
    becomes(blog, discuz, "1")
    check("and published when a moderator approved it", blog.shows("the clock is late"))


def own_plugin(house, blog):
    name = "blog-own"
    made = house.run("site", "create", name, "--url", blog.url, "--webhook", blog.url + "/index.php?rest_route=/doorward/v1/webhook")
    key = house.run("site", "key", name, "--scopes", "post,read,erase")["key"]
    (blog.docroot / "wp-content/mu-plugins/doorward-akismet.php").unlink()
    blog.lead_to(None)
    shutil.copytree(ROOT / "clients/wordpress/doorward", blog.docroot / "wp-content/plugins/doorward", dirs_exist_ok=True)
    said = blog.php("deactivate_plugins('akismet/akismet.php'); $r = activate_plugin('doorward/doorward.php'); echo is_wp_error($r) ? $r->get_error_message() : 'active';")
    check("our plugin is activated", said == "active", said)

    page = blog.admin("options-general.php?page=doorward")
    form = inputs(re.search(r"<form.*?</form>", page, re.S).group(0)) | {
        "doorward[url]": house.url, "doorward[key]": key, "doorward[webhook_secret]": made["webhook_secret"], "doorward[token]": house.token}
    page = blog.admin("options.php", form)
    check("its settings page takes address and keys, and says that Doorward answers", "Doorward answers, and takes the key" in page, page[:300])
    check("it shows no secret", key not in page and made["webhook_secret"] not in page and house.token not in page)
    check("and where webhooks go", "rest_route=/doorward/v1/webhook" in page)

    ham, state = blog.comment("The well on the square has water again, isn't it \"fine\"?")
    check("ham is published", state == "1" and blog.shows("well on the square"), state)
    kept = house.comment(name, "well on the square")
    check("as it was written, with the article's title and the visitor's name",
          "isn't it \"fine\"?" in kept["body"] and kept["status"] == "approved", kept["body"])
    spam, state = blog.comment(SPAM + " http://watches.example/")
    check("spam is spam", state == "spam" and made_of(house, name, "watches.example")[0] == "rejected", state)
    trap, state = blog.comment("A kind word about the garden and its old trees.", doorward_trap="filled in by a program")
    check("what fills in the hidden field is not published", state in ("0", "spam"), state)

    good, state = blog.comment("It is whispered that the tower gets a lift.")
    check("a doubtful comment is pending", state == "0", state)
    body = json.dumps({"type": "comment.approved", "timestamp": "2026-01-01T00:00:00Z", "data": house.comment(name, "tower gets a lift") | {"status": "approved", "version": 99}})
    at = int(time.time())
    def hook(secret, at):
        right = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), f"m-1.{at}.{body}".encode(), hashlib.sha256)
        return post(blog.url + "/index.php?rest_route=/doorward/v1/webhook", body.encode(), {"Content-Type": "application/json", "webhook-id": "m-1",
                    "webhook-timestamp": str(at), "webhook-signature": "v1," + base64.b64encode(right).decode()})
    check("a forged webhook, and an old one, are refused", hook(made["inbound_secret"], at) == 401 and hook(made["webhook_secret"], at - 3600) == 401 and blog.state(good) == "0")
    house.decide(house.waiting(name, "tower gets a lift"), "approve")
    becomes(blog, good, "1")
    check("a moderator approves: published", blog.shows("tower gets a lift"))
    bad, _ = blog.comment("It is whispered that the sexton is a thief.")
    house.decide(house.waiting(name, "sexton"), "reject", "abuse")
    becomes(blog, bad, "spam")
    check("a moderator rejects: spam", not blog.shows("sexton"))

    blog.click("spamcomment", ham)
    check("the administrator's Spam is told as a decision", made_of(house, name, "well on the square") == ("rejected", "person"), made_of(house, name, "well on the square"))
    blog.click("unspamcomment", spam, "edit-comments.php?comment_status=spam")
    blog.click("approvecomment", spam, "edit-comments.php?comment_status=moderated") if blog.state(spam) == "0" else None
    check("and so is the approval of what was none", made_of(house, name, "watches.example") == ("approved", "person"), blog.state(spam), made_of(house, name, "watches.example"))

    house.stop()
    away, state = blog.comment("The ice rink opens on the first of December.")
    check("Doorward is away: pending", state == "0", state)
    blog.click("spamcomment", good)
    house.start()
    blog.php("do_action('doorward_again');")
    check("asked again when it is there: published, and one comment in Doorward",
          blog.state(away) == "1" and made_of(house, name, "ice rink")[0] == "approved", blog.state(away))
    check("and the administrator's decision of meanwhile is told", made_of(house, name, "tower gets a lift") == ("rejected", "person"), made_of(house, name, "tower gets a lift"))

    house.stop()
    trap, state = blog.comment("A kind word about the orchard and its old gate.", doorward_trap="filled in by a program")
    house.start()
    blog.php("do_action('doorward_again');")
    check("Doorward was away: what fills in the hidden field is not published by the next look either",
          state == "0" and blog.state(trap) in ("0", "spam") and made_of(house, name, "orchard")[0] != "approved", blog.state(trap), made_of(house, name, "orchard"))
    with Front(504, behind=house.url) as front:
        blog.php(f"update_option('doorward', array('url' => '{front.url}') + get_option('doorward'));")
        lost, state = blog.comment("The <em>fair</em> has a wheel, hasn't it?")
    blog.php(f"update_option('doorward', array('url' => '{house.url}') + get_option('doorward'));")
    blog.php("do_action('doorward_again');")
    kept = house.comment(name, "has a wheel")
    check("a proxy in front loses the answer: pending, published by the next look, and no second text of it in Doorward",
          state == "0" and blog.state(lost) == "1" and kept["revision"] == 1, state, blog.state(lost), kept["revision"])
    check("what was kept for that is gone", blog.sql("select count(*) from wp_commentmeta where meta_key='doorward_sent'") == "0")

    own_plugin_waits(house, blog, name)
    own_plugin_obeys(house, blog, name)
    blog.php(f"wp_delete_comment({away}, true);")
    check("what is deleted in WordPress is erased in Doorward", not [one for one in house.comments(name) if "ice rink" in one["body"]])


def own_plugin_waits(house, blog, name):
    """What Doorward refuses keeps nothing else waiting."""
    blog.php("$id = get_comments(array('meta_key' => 'doorward_id', 'number' => 1))[0]->comment_ID; $known = get_comment_meta($id, 'doorward_id', true);"
             "for ($i = 0; $i < 50; $i++) { $new = wp_insert_comment(array('comment_post_ID' => 1, 'comment_author' => 'stuck', 'comment_content' => \"stuck $i\", 'comment_approved' => 0));"
             "foreach (array('doorward_id' => $known, 'doorward_due' => 'nonsense', 'doorward_tried' => 1) as $key => $value) add_comment_meta($new, $key, $value); }")
    house.stop()
    away, state = blog.comment("The lamps on the quay are lit again.")
    house.start()
    def looked():
        blog.php("do_action('doorward_again');")
        return blog.state(away) == "1"
    until("fifty that Doorward refuses each time do not keep the next one waiting", looked)
    check("fifty that Doorward refuses each time do not keep the next one waiting", state == "0")
    blog.php("foreach (get_comments(array('meta_key' => 'doorward_due', 'meta_value' => 'nonsense')) as $one) { delete_comment_meta($one->comment_ID, 'doorward_id'); wp_delete_comment($one->comment_ID, true); }")

    blog.php("update_option('doorward', array('token' => 'of nobody') + get_option('doorward'));")
    blog.click("spamcomment", away)
    due = blog.sql(f"select count(*) from wp_commentmeta where comment_id={away} and meta_key='doorward_due'")
    check("a decision under a token that is not valid is told to the administrator, and not tried for ever",
          due == "0" and "Doorward refused a decision" in blog.admin("index.php"), due)
    page = blog.admin("options-general.php?page=doorward")
    blog.admin("options.php", inputs(re.search(r"<form.*?</form>", page, re.S).group(0)) | {"doorward[token]": house.token})
    check("until there is another token", "Doorward refused a decision" not in blog.admin("index.php"))


def own_plugin_obeys(house, blog, name):
    """The owner's own rules stand over what policy approves, and not over people."""
    blog.php("update_option('moderation_keys', 'thunder');")
    word, state = blog.comment("There was thunder over the harbour.")
    check("a word of Comment Moderation holds what Doorward approved", state == "0" and made_of(house, name, "over the harbour")[0] == "approved", state)
    house.stop()
    later, state = blog.comment("There was thunder over the lighthouse.")
    house.start()
    blog.php("do_action('doorward_again');")
    check("and on the next look, too", state == "0" and blog.state(later) == "0" and made_of(house, name, "over the lighthouse")[0] == "approved", blog.state(later))
    blog.click("approvecomment", word, "edit-comments.php?comment_status=moderated")
    check("the administrator approves: published", blog.state(word) == "1" and blog.shows("over the harbour"), blog.state(word))
    unsure, state = blog.comment("It is whispered that the thunder was a cannon.")
    house.decide(house.waiting(name, "was a cannon"), "approve")
    becomes(blog, unsure, "1")
    check("so does a moderator in Doorward", state == "0")
    blog.php("update_option('moderation_keys', '');")


def main(script, folder):
    blog = Blog(script, folder)
    with House(DOUBTFUL) as house:
        key = house.run("site", "create", "blog", "--url", blog.url)["akismet_key"]
        try:
            blog.start(house.url, key)
            print(blog.versions)
            akismet_plugin(house, blog, key)
            own_plugin(house, blog)
        except BaseException:
            for name in ("debug.log", "php.log"):
                log = blog.run / name if blog.run else None
                if log and log.exists():
                    print(f"--- {name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
            raise
        finally:
            blog.stop()
    print(f"WordPress, with Akismet's plugin and with ours: {blog.versions}")


if __name__ == "__main__":
    main(*sys.argv[1:])
