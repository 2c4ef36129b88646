package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/plsim/plsim/sim/service"
)

// An answer is understood however it is cut into pieces, and what comes behind it is kept.
func TestAnswer(t *testing.T) {
	const plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\nPlsim-Instance: lab/web\r\n\r\n"
	for _, tt := range []struct {
		name, in string
		ends     bool  // no more comes
		body     int64 // of the whole answer
		status   int
		last     bool
		rest     string
		err      string
	}{
		{name: "plain", in: plain + "12345", body: 5, status: 200},
		{name: "with more behind it", in: plain + "12345HTTP", body: 5, status: 200, rest: "HTTP"},
		{name: "the last", in: "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status: 404, last: true},
		{name: "in chunks", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nX", body: 3, status: 200, rest: "X"},
		{name: "to the end", in: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nwhat?", ends: true, body: 5, status: 400, last: true},
		{name: "half of the body", in: plain + "12", ends: true, err: "EOF"},
		{name: "half of the head", in: "HTTP/1.1 200 OK\r\n", ends: true, err: "EOF"},
		{name: "nothing", ends: true, err: "closed"},
		{name: "an echo", in: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", err: `malformed HTTP status code "/"`},
	} {
		for _, size := range []int{1, 7, 1 << 10} {
			var a answer
			var err error
			b := []byte(tt.in)
			for len(b) > 0 && err == nil {
				n := min(size, len(b))
				if a.whole {
					a.keep(b[:n])
				} else {
					_, err = a.take(b[:n], false)
				}
				b = b[n:]
			}
			if err == nil && tt.ends {
				_, err = a.take(nil, true)
			}
			switch {
			case tt.err != "":
				if err == nil || err.Error() != tt.err || a.whole {
					t.Errorf("%s, by %d: error %v, want %s", tt.name, size, err, tt.err)
				}
			case err != nil || !a.whole || a.body != tt.body || a.status != tt.status || a.last != tt.last || string(a.rest()) != tt.rest:
				t.Errorf("%s, by %d: %+v, %v", tt.name, size, a, err)
			}
		}
	}
}

// What parseHead knows, net/http reads in the same way.
func FuzzParseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nPlsim-Instance: lab/web\r\n\r\n12345"))
	f.Add([]byte("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, known := parseHead(b)
		if !known {
			return
		}
		in := bytes.NewReader(b)
		r := bufio.NewReader(in)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%+v, but net/http says %v", h, err)
		}
		size := len(b) - in.Len() - r.Buffered()
		if h.size != size || h.status != resp.StatusCode || h.length != resp.ContentLength || h.last != resp.Close ||
			h.instance != resp.Header.Get(service.InstanceHeader) {
			t.Errorf("%+v, but net/http has %d bytes, %+v", h, size, resp)
		}
	})
}

// No bytes confuse an answer for good: it is whole, waits for more, or says what is wrong.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"), 3)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), 40)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if cut < 0 || cut > len(b) {
			return
		}
		var a answer
		_, err := a.take(b[:cut], false)
		if err == nil && !a.whole {
			_, err = a.take(b[cut:], true)
		}
		var other *notHTTP
		if !a.whole && !errors.As(err, &other) && !errors.Is(err, io.EOF) && !errors.Is(err, errClosed) {
			t.Errorf("%q is not whole, and yet nothing is wrong: %v", b, err)
		}
	})
}
