package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/plsim/plsim/sim/service"
)

// headLines returns the front of an HTTP message in which only whole lines of its head
// stand: a line of which a part has come would be taken for a wrong one.
func headLines(b []byte) []byte {
	if bytes.Contains(b, []byte("\r\n\r\n")) || bytes.Contains(b, []byte("\n\n")) {
		return b // the head is whole
	}
	return b[:bytes.LastIndexByte(b, '\n')+1]
}

// readResponse reads the head of an answer; its body is what has come of it. The error is
// io.ErrUnexpectedEOF or io.EOF where more has to come.
func readResponse(b []byte, req *http.Request) (*http.Response, error) {
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(headLines(b))), req)
}

// wholeResponse reads an answer with its body; last says that no more will come, which is
// the end of a body that has no other. Where more has to come the error is [unfinished].
func wholeResponse(b []byte, req *http.Request, last bool) (resp *http.Response, body []byte, err error) {
	if resp, err = readResponse(b, req); err != nil {
		return nil, nil, err
	}
	if resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && !last {
		return nil, nil, io.ErrUnexpectedEOF
	}
	body, err = readBody(resp.Body)
	return resp, body, err
}

// unfinished reports whether an error says that more of a message has to come.
func unfinished(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// errLongHead is the error of a request whose head does not end.
var errLongHead = errors.New("the head is too long")

// cutRequest takes a whole request from the front of a stream. The error is
// io.ErrUnexpectedEOF or io.EOF where more has to come.
func cutRequest(b []byte) (req *http.Request, body string, rest []byte, err error) {
	in := bytes.NewReader(headLines(b))
	r := bufio.NewReaderSize(in, min(len(b), 4096)) // most requests are far shorter than what bufio takes by default
	if req, err = http.ReadRequest(r); err != nil {
		if len(b) > http.DefaultMaxHeaderBytes {
			err = errLongHead
		}
		return nil, "", b, err
	}
	all, err := readBody(req.Body)
	if err != nil {
		return nil, "", b, err
	}
	return req, string(all[:min(len(all), service.MaxBody)]), b[len(b)-in.Len()-r.Buffered():], nil
}

// readBody reads a message's body to its end. The error is io.ErrUnexpectedEOF where more
// has to come, also of the trailer, for which net/http has an error that it does not show.
func readBody(r io.Reader) ([]byte, error) {
	if r == http.NoBody {
		return nil, nil
	}
	b, err := io.ReadAll(r)
	if err != nil && strings.Contains(err.Error(), "unexpected EOF") {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
