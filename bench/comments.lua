-- The load for wrk: posts the comments that comments.py describes, each lane (a thread of wrk) its own, and writes what came of it as JSON.
--
-- Environment: BENCH_FOLDER (where this file lies), BENCH_KIND (comment, mail, form, check), BENCH_RUN (a number: another run, other comments), BENCH_KEY (a
-- bearer key; of a check, the Akismet key in it), BENCH_PATH, BENCH_HOST, BENCH_OUT (the file to write). The bytes are those of comments.py: change both, scripts/bench compares them.

local modulus, authors, articles = 2147483647, 200000, 500
local floor, concat = math.floor, table.concat
local kind, run = os.getenv("BENCH_KIND") or "comment", tonumber(os.getenv("BENCH_RUN") or "1")
local path, host = os.getenv("BENCH_PATH") or "/", os.getenv("BENCH_HOST") or "127.0.0.1"
local key = os.getenv("BENCH_KEY") or ""
local browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
local names = { "Anna", "Ben", "Clara", "David", "Elena", "Frank", "Grace", "Henry", "Ines", "Jonas", "Karen", "Louis", "Maria", "Nora", "Oscar", "Petra" }

local words, capitals, count = {}, {}, 0
for word in io.lines((os.getenv("BENCH_FOLDER") or "bench") .. "/words.txt") do
    count = count + 1
    words[count] = word
    capitals[count] = word:sub(1, 1):upper() .. word:sub(2)
end

local state, made, lane = 1, 0, 0

local function below(bound)
    state = state * 16807 % modulus
    return floor(state * bound / modulus)
end

local parts = {}
local pitches = { "Earn money from home, no skills needed:", "Best casino bonus today, register here:", "Cheap pills without prescription:", "I made 5000 a week with this:" }
local function pitch()
    local what, offer, word = pitches[below(4) + 1], below(100000), words[300 + below(900) + 1]
    return " " .. what .. " https://offer-" .. offer .. ".example/" .. word
end

local function text()
    local offered = below(30) == 0 and pitch() or ""
    local used, length, left = 0, #offered, 0
    while length < 292 do
        local first = left == 0
        if first then
            state = state * 16807 % modulus
            left = 6 + floor(state * 9 / modulus)
        end
        state = state * 16807 % modulus
        local share = state / modulus
        local at = floor(count * share * share * share) + 1
        left = left - 1
        local word = first and capitals[at] or words[at]
        if left == 0 then word = word .. "." end
        used = used + 1
        parts[used] = word
        length = length + #word + 1
    end
    local said = concat(parts, " ", 1, used)
    if left ~= 0 then said = said .. "." end
    return said .. offered
end

local function name(author)
    return names[author % 16 + 1] .. " " .. capitals[300 + author % 900 + 1]
end

local function address(author)
    return concat({ "10", floor(author / 65536), floor(author / 256) % 256, author % 256 }, ".")
end

local function url(article)
    return "https://news.example/2026/11/story-" .. article
end

local makers = {}

function makers.comment(id, article, author, typing, said)
    local where = url(article)
    return concat({ '{"id":"', id, '","article":{"id":"a-', article, '","url":"', where, '","section":"city","lang":"en"},"author":{"id":"u-', author, '","name":"', name(author),
        '","email":"reader-', author, '@mail.example","ip":"', address(author), '","user_agent":"', browser,
        '","role":"member","registered_at":"2024-03-01T10:00:00Z"},"body":"', said, '","created_at":"2026-11-24T10:00:00Z","typing_ms":', typing, ',"honeypot":"","referrer":"', where, '"}' })
end

function makers.mail(id, article, author, _, said)
    return concat({ "Received: from mail.example (mail.example [", address(author), "]) by news.example\r\nFrom: ", name(author), " <reader-", author,
        "@mail.example>\r\nTo: comments@news.example\r\nSubject: comment on story ", article,
        "\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <", id,
        "@news.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", said, "\r\n" })
end

function makers.form(_, _, author, _, said)
    return concat({ '{"text":"', said, '","author":"', name(author), '","email":"reader-', author,
        '@mail.example","website":null,"parent":null,"title":"A story"}' })
end

local function escaped(text)
    return (tostring(text):gsub("[^%w_.~-]", function(sign) return sign == " " and "+" or string.format("%%%02X", sign:byte()) end))
end

-- Whose key is part of the form.
function makers.check(_, article, author, _, said)
    local where = escaped(url(article))
    return concat({ "blog=https%3A%2F%2Fnews.example&user_ip=", address(author), "&user_agent=", escaped(browser), "&referrer=", where, "&permalink=", where,
        "&comment_type=comment&comment_author=", escaped(name(author)), "&comment_author_email=reader-", author, "%40mail.example&comment_content=", escaped(said),
        "&comment_post_ID=", article, "&user_ID=", author, "&comment_date_gmt=2026-11-24+10%3A00%3A00&blog_lang=en&blog_charset=UTF-8&api_key=", key })
end

local kinds = { mail = "message/rfc822", check = "application/x-www-form-urlencoded" }
local make = makers[kind]
local head = "POST " .. path .. " HTTP/1.1\r\nHost: " .. host .. "\r\n"
if key ~= "" and kind ~= "check" then head = head .. "Authorization: Bearer " .. key .. "\r\n" end
head = head .. "Content-Type: " .. (kinds[kind] or "application/json") .. "\r\nContent-Length: "

local threads = 0
function setup(thread)
    thread:set("lane", threads)
    threads = threads + 1
end

function init()
    lane = _G.lane
    state = (run * 1000003 + lane * 7907 + 12345) % (modulus - 1) + 1
    for _ = 1, 8 do below(1) end
end

function request()
    made = made + 1
    local author, article, typing = below(authors), below(articles), 20000 + below(60000)
    local body = make("r" .. run .. "-" .. lane .. "-" .. made, article, author, typing, text())
    return head .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
    local errors = summary.errors
    local out = io.open(os.getenv("BENCH_OUT") or "/dev/stdout", "w")
    out:write(string.format('{"answered":%d,"seconds":%.6f,"not_2xx":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,' ..
        '"p50_ms":%.4f,"p90_ms":%.4f,"p99_ms":%.4f,"p999_ms":%.4f,"max_ms":%.4f}\n',
        summary.requests, summary.duration / 1e6, errors.status, errors.connect, errors.read, errors.write, errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3, latency.max / 1e3))
    out:close()
end
