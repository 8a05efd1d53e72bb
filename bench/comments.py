#!/usr/bin/env python3
"""Comments for measuring: about 300 characters each, no two alike, the same ones whenever the same are asked for.

A stream is named by two numbers, a run and a lane of it; its n-th comment is always the same. `comments.lua` makes the same comments inside wrk, and
`scripts/bench` compares the two before it measures anything. The words are from `words.txt`, common ones first. They make no sense together, so what a
verdict says of them says nothing about quality (docs/measuring.md is about that); what they cost is what matters here.

  bench/comments.py --count 1000000 --run 1        one JSON object a line, as a website posts them
  bench/comments.py --articles                     the articles that they stand under, one JSON object a line
  bench/comments.py --mails 3 --run 2              the same comments as e-mails, for mail filters
"""

import argparse
import json
import pathlib
import sys
import urllib.parse

# The generator of Park and Miller: its products fit in a double, so that Lua counts exactly the same.
MODULUS = 2147483647
AUTHORS = 200_000
ARTICLES = 500
WORDS = pathlib.Path(__file__).with_name("words.txt").read_text().split()
CAPITALS = [word.capitalize() for word in WORDS]
NAMES = "Anna Ben Clara David Elena Frank Grace Henry Ines Jonas Karen Louis Maria Nora Oscar Petra".split()
PITCHED = 30  # one of so many
PITCHES = ["Earn money from home, no skills needed:", "Best casino bonus today, register here:", "Cheap pills without prescription:", "I made 5000 a week with this:"]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Stream:
    """Comments of one lane of one run, one after the other."""

    def __init__(self, run, lane):
        self.run, self.lane, self.made = run, lane, 0
        self.state = (run * 1000003 + lane * 7907 + 12345) % (MODULUS - 1) + 1
        for _ in range(8):
            self.below(1)

    def below(self, end):
        self.state = self.state * 16807 % MODULUS
        return int(self.state * end / MODULUS)

    def text(self, pitched=True):
        pitch = self.pitch() if self.below(PITCHED) == 0 and pitched else ""
        words, length, left, state, count = [], len(pitch), 0, self.state, len(WORDS)
        while length < 292:
            first = left == 0
            if first:
                state = state * 16807 % MODULUS
                left = 6 + int(state * 9 / MODULUS)
            state = state * 16807 % MODULUS
            share = state / MODULUS
            at = int(count * share * share * share)  # common words come first, and so more often
            left -= 1
            word = CAPITALS[at] if first else WORDS[at]
            if left == 0:
                word += "."
            words.append(word)
            length += len(word) + 1
        self.state = state
        text = " ".join(words)
        return (text if text.endswith(".") else text + ".") + pitch

    def pitch(self):
        """What a few of them end with, so that some are held and the queue grows as it does elsewhere."""
        return f" {PITCHES[self.below(4)]} https://offer-{self.below(100_000)}.example/{WORDS[300 + self.below(900)]}"

    def next(self):
        """The parts of the next comment: id, article, author, milliseconds of typing, text."""
        self.made += 1
        author, article, typing = self.below(AUTHORS), self.below(ARTICLES), 20_000 + self.below(60_000)
        return f"r{self.run}-{self.lane}-{self.made}", article, author, typing, self.text()


def url(article):
    return f"https://news.example/2026/11/story-{article}"


def name(author):
    return f"{NAMES[author % 16]} {CAPITALS[300 + author % 900]}"


def request(stream):
    """What a website posts: some 800 bytes. Written by hand, because the same bytes must come from Lua."""
    identity, article, author, typing, text = stream.next()
    return (
        f'{{"id":"{identity}","article":{{"id":"a-{article}","url":"{url(article)}","section":"city","lang":"en"}},'
        f'"author":{{"id":"u-{author}","name":"{name(author)}","email":"reader-{author}@mail.example",'
        f'"ip":"10.{author // 65536}.{author // 256 % 256}.{author % 256}","user_agent":"{BROWSER}",'
        f'"role":"member","registered_at":"2024-03-01T10:00:00Z"}},"body":"{text}","created_at":"2026-11-24T10:00:00Z","typing_ms":{typing},"honeypot":"","referrer":"{url(article)}"}}'
    )


def mail(stream):
    """The same comment as an e-mail, for filters that read nothing else."""
    identity, article, author, _, text = stream.next()
    return (
        f"Received: from mail.example (mail.example [10.{author // 65536}.{author // 256 % 256}.{author % 256}]) by news.example\r\n"
        f"From: {name(author)} <reader-{author}@mail.example>\r\nTo: comments@news.example\r\nSubject: comment on story {article}\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{identity}@news.example>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )


def form(stream):
    """The same comment as Isso's own page posts it."""
    _, _, author, _, text = stream.next()
    return f'{{"text":"{text}","author":"{name(author)}","email":"reader-{author}@mail.example","website":null,"parent":null,"title":"A story"}}'


def check(stream, key=""):
    """The same comment as WordPress' Akismet plugin asks about it, with the blog's key."""
    _, article, author, _, text = stream.next()
    fields = [
        ("blog", "https://news.example"), ("user_ip", f"10.{author // 65536}.{author // 256 % 256}.{author % 256}"), ("user_agent", BROWSER),
        ("referrer", url(article)), ("permalink", url(article)), ("comment_type", "comment"), ("comment_author", name(author)),
        ("comment_author_email", f"reader-{author}@mail.example"), ("comment_content", text), ("comment_post_ID", article), ("user_ID", author),
        ("comment_date_gmt", "2026-11-24 10:00:00"), ("blog_lang", "en"), ("blog_charset", "UTF-8"), ("api_key", key),
    ]
    return urllib.parse.urlencode(fields)


KINDS = {"comment": request, "mail": mail, "form": form, "check": check}


def articles():
    """The articles: a title and some two hundred words each, made like the comments."""
    for number in range(ARTICLES):
        stream = Stream(0, number)
        title = " ".join(stream.text(pitched=False).split()[:8]).rstrip(".")
        yield {"id": f"a-{number}", "url": url(number), "section": "city", "lang": "en", "title": title, "text": " ".join(stream.text(pitched=False) for _ in range(4))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--mails", type=int, default=0)
    parser.add_argument("--articles", action="store_true")
    parser.add_argument("--run", type=int, default=1)
    parser.add_argument("--lane", type=int, default=0)
    arguments = parser.parse_args()
    stream = Stream(arguments.run, arguments.lane)
    try:
        if arguments.articles:
            for article in articles():
                print(json.dumps(article))
        for _ in range(arguments.count):
            sys.stdout.write(request(stream) + "\n")
        for _ in range(arguments.mails):
            sys.stdout.write(mail(stream) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()  # whoever read them has enough


if __name__ == "__main__":
    main()
