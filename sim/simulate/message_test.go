package simulate

import (
	"strings"
	"testing"
)

// A message that comes in pieces is waited for, wherever it is cut, and no piece of it is
// taken for a wrong one.
func TestPieces(t *testing.T) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		for n := range len(request) {
			if _, _, rest, err := cutRequest([]byte(request[:n])); !unfinished(err) || len(rest) != n {
				t.Errorf("%q: %v, %d bytes left", request[:n], err, len(rest))
			}
		}
		req, body, rest, err := cutRequest([]byte(request + "GET"))
		if err != nil || string(rest) != "GET" || req.Method == "POST" && body != "hello" {
			t.Errorf("%q: %v, body %q, then %q", request, err, body, rest)
		}
	}
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for n := range len(answer) {
		if _, err := readResponse([]byte(answer[:n]), nil); !unfinished(err) {
			t.Errorf("%q: %v", answer[:n], err)
		}
	}
}

// What is no request is seen to be none as soon as its first line is whole.
func TestNoRequest(t *testing.T) {
	for _, text := range []string{"hello\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nno header\r\n\r\n"} {
		if _, _, _, err := cutRequest([]byte(text)); err == nil || unfinished(err) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzRequest: a request that is cut off a stream is cut off the same stream with more
// behind it, which is left as it is.
func FuzzRequest(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "\r\n")
	f.Add("hello\n\n", "")
	f.Fuzz(func(t *testing.T, text, more string) {
		req, body, rest, err := cutRequest([]byte(text))
		if err != nil {
			if string(rest) != text {
				t.Fatalf("%q is left of %q", rest, text)
			}
			return
		}
		if !strings.HasSuffix(text, string(rest)) {
			t.Fatalf("%q is left of %q", rest, text)
		}
		if len(rest) > 0 {
			return // what follows may make another request of it
		}
		again, sameBody, left, err := cutRequest([]byte(text + more))
		if err != nil || again.Method != req.Method || sameBody != body || string(left) != more {
			t.Fatalf("%q and %q: %v, %q, %q left", text, more, err, sameBody, left)
		}
	})
}
