package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/plsim/plsim/sim/service"
)

// answer is an answer of HTTP/1.1 as it comes in. The zero value awaits one.
type answer struct {
	in []byte // what has come, as long as it does not tell enough; then what came behind the answer

	head        // once it is known
	known bool  // the head is
	body  int64 // how many bytes of it have come
	whole bool
}

// head is what matters of an answer's head.
type head struct {
	size     int // of the head itself
	status   int
	length   int64  // of the body
	last     bool   // the connection ends with it
	instance string // by which built-in service it is
}

// errClosed is the end of a connection on which an answer was to come.
var errClosed = errors.New("closed")

// notHTTP says why an answer is not understood.
type notHTTP struct{ error }

// begun reports whether something of it has come.
func (a *answer) begun() bool { return a.known || len(a.in) > 0 }

// keep notes what came before anybody waited for it.
func (a *answer) keep(data []byte) { a.in = append(a.in, data...) }

// rest returns what came behind the whole answer.
func (a *answer) rest() []byte { return a.in }

// take takes in what has come, and returns how much of it was the body's. last says that no
// more will come: the error is [errClosed] where nothing did, and io.EOF where the answer is
// not whole. A *[notHTTP] says that it will never be.
func (a *answer) take(data []byte, last bool) (n int64, err error) {
	if last && !a.begun() && len(data) == 0 {
		return 0, errClosed
	}
	if !a.known {
		if len(a.in) > 0 {
			a.in = append(a.in, data...)
			data, a.in = a.in, nil
		}
		if a.head, a.known = parseHead(data); !a.known {
			a.in = append([]byte(nil), data...)
			return a.takeSlowly(last)
		}
		data = data[a.size:]
	}
	n = min(int64(len(data)), a.length-a.body)
	a.body += n
	a.in = append(a.in, data[n:]...)
	if a.whole = a.body == a.length; !a.whole && last {
		return n, io.EOF
	}
	return n, nil
}

// takeSlowly understands all of HTTP, and counts the body once it is whole.
func (a *answer) takeSlowly(last bool) (int64, error) {
	if !last && !headEnds(a.in) { // net/http would take what there is for all
		return 0, nil
	}
	in := bytes.NewReader(a.in)
	r := bufio.NewReader(in)
	resp, err := http.ReadResponse(r, nil)
	if err == nil {
		if untilEnd := resp.ContentLength < 0 && len(resp.TransferEncoding) == 0; untilEnd && !last {
			return 0, nil
		}
		a.body, err = io.Copy(io.Discard, resp.Body)
	}
	switch {
	case err == nil:
		a.known, a.whole = true, true
		a.status, a.last, a.instance = resp.StatusCode, resp.Close, resp.Header.Get(service.InstanceHeader)
		a.in = a.in[len(a.in)-in.Len()-r.Buffered():]
		return a.body, nil
	case !last && resp != nil: // more of the body may come; what is wrong with it shows at the end
		return 0, nil
	case last && unfinished(err):
		return 0, io.EOF
	}
	return 0, &notHTTP{err}
}

// headEnds reports whether the whole head has come, or something that is none.
func headEnds(b []byte) bool {
	if !bytes.HasPrefix(b, httpVersion[:min(len(b), len("HTTP/"))]) {
		return bytes.ContainsRune(b, '\n')
	}
	return bytes.Contains(b, []byte("\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// What parseHead looks for.
var (
	httpVersion   = []byte("HTTP/1.1 ")
	endOfLine     = []byte("\r\n")
	betweenThem   = []byte(": ") // a header's name and its value
	contentLength = []byte("Content-Length")
	connection    = []byte("Connection")
	closes        = []byte("close")
	instanceName  = []byte(service.InstanceHeader)
)

// parseHead reads the head of an answer as the built-in services and load balancers write
// it. What is not whole or says anything unusual is not known.
func parseHead(b []byte) (h head, known bool) {
	line, rest, ok := bytes.Cut(b, endOfLine)
	if !ok || !bytes.HasPrefix(line, httpVersion) || len(line) < len(httpVersion)+4 || line[len(httpVersion)+3] != ' ' {
		return head{}, false
	}
	if h.status, ok = number(line[len(httpVersion) : len(httpVersion)+3]); !ok || h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		return head{}, false
	}
	h.length = -1
	for {
		if line, rest, ok = bytes.Cut(rest, endOfLine); !ok {
			return head{}, false
		}
		if len(line) == 0 {
			h.size = len(b) - len(rest)
			return h, h.length >= 0
		}
		name, value, ok := bytes.Cut(line, betweenThem)
		switch {
		case !ok || bytes.ContainsAny(line, "\r\n"):
			return head{}, false
		case bytes.Equal(name, instanceName) && h.instance == "":
			h.instance = string(bytes.TrimSpace(value))
		case bytes.Equal(name, contentLength):
			n, ok := number(value)
			if !ok || h.length >= 0 {
				return head{}, false
			}
			h.length = int64(n)
		case bytes.Equal(name, connection):
			if h.last = bytes.Equal(value, closes); !h.last {
				return head{}, false
			}
		case !common(name):
			return head{}, false
		}
	}
}

// common reports whether a header says nothing of how an answer is to be read.
func common(name []byte) bool {
	switch string(name) {
	case "Date", "Content-Type", "Server", "X-Content-Type-Options":
		return true
	}
	return false
}

// number reads digits.
func number(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 18 || b[0] == '+' || b[0] == '-' {
		return 0, false
	}
	n, err := strconv.Atoi(string(b))
	return n, err == nil
}
