"""What Schemathesis does not know by itself: how lines of JSON are written, and what a form of Akismet's needs to be judged, under the key in the address."""
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def map_body(context, body):
    is_akismet = context.operation is not None and context.operation.path.startswith(("/1.1/", "/1.2/"))
    if is_akismet and isinstance(body, dict):
        said = {name: value for name, value in body.items() if name != "api_key" and value not in (None, "")}
        return {"blog": "https://news.example/", "comment_content": "The lanes are long overdue."} | said
    return body
