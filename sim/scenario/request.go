package scenario

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// request checks an HTTP request.
func (c *checker) request(path string, r *Request) {
	c.instance(join(path, "from"), r.From)
	if text, known := c.expanded(r.URL); known {
		c.url(join(path, "url"), text)
	}
	if m := r.Method; m != strings.ToUpper(m) || m != "" && !tokenForm.MatchString(m) {
		c.wrong(join(path, "method"), "%q is not an HTTP method: write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS", m)
	}
	for name, value := range r.Headers {
		p := join(join(path, "headers"), name)
		if !tokenForm.MatchString(name) {
			c.wrong(p, "this cannot be the name of a header")
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			c.wrong(p, "the value of a header is one line")
		}
	}
}

// HTTP returns the request as a client sends it. It fails where a name or a value that was
// expanded makes no URL.
func (r *Request) HTTP(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for name, value := range r.Headers {
		req.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value
		}
	}
	return req, nil
}

var (
	tokenForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110, section 5.6.2
	schemeSep = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
)

func (c *checker) url(path, text string) {
	if !schemeSep.MatchString(text) {
		c.wrong(path, "%q is not a URL: write http://… or https://…", text)
		return
	}
	u, err := url.Parse(text)
	if err != nil {
		c.wrong(path, "%q is not a URL: %v", text, unwrapURL(err))
		return
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		c.wrong(path, "the scheme %s is not known here: write http:// or https://", u.Scheme)
	case u.Hostname() == "":
		c.wrong(path, "the URL has no host: write %s://HOST/PATH", u.Scheme)
	case u.Port() != "":
		c.portText(path, u.Port())
	}
}

// unwrapURL returns the reason without the URL, which the message has already.
func unwrapURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (c *checker) connections(path string, n *Connections) {
	c.instance(join(path, "from"), n.From)
	c.hostPort(join(path, "to"), n.To)
	c.within(join(path, "count"), n.Count, 1, maxCount)
	if p := join(path, "concurrency"); c.src.Has(p) {
		c.within(p, n.Concurrency, 1, maxConcurrency)
	}
}
