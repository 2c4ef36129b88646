// Package service is what the servers built into plsim answer, and the resolvers of
// its VPCs: everything about them that needs no socket, so that they say the same
// in both modes.
//
// Echoes and sinks have nothing here: what comes is sent back, or counted.
package service

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/plsim/plsim/dataplane/ppv2"
)

// InstanceHeader tells clients which instance's built-in service answered.
const InstanceHeader = "Plsim-Instance"

// What an Application Load Balancer tells its targets of a client.
const (
	ForwardedFor   = "X-Forwarded-For"
	ForwardedProto = "X-Forwarded-Proto"
	ForwardedPort  = "X-Forwarded-Port"
)

// Bounds of what a client may ask for.
const (
	MaxBytes = 1 << 30
	MaxDelay = 10 * time.Minute
)

// MaxBody is how much of a message clients and servers keep.
const MaxBody = 1 << 20

// HTTP is a built-in service of type http or https.
type HTTP struct {
	Instance string            // VPC/NAME
	Routes   map[string]string // path and body; none: every path answers with what was seen
}

// Visit is a request as its server sees it.
type Visit struct {
	Request   *http.Request
	Body      string
	Peer, Own netip.AddrPort // the connection's ends
	Proxy     *ppv2.Header   // what stood before the connection's first byte; nil if nothing did
}

// Response is what to answer, and when.
type Response struct {
	Status int
	Header http.Header
	Body   string
	// Filler is how many bytes of no meaning follow the body.
	Filler int64
	// Delay is how much of the lab's time passes before the answer.
	Delay time.Duration
}

// Sight is what the service saw of a request. It is the body of the answer, so that
// a story can ask who the client seemed to be.
type Sight struct {
	Instance        string `json:"instance"`
	SourceIP        string `json:"source_ip"`
	SourcePort      uint16 `json:"source_port"`
	DestinationIP   string `json:"destination_ip"`
	DestinationPort uint16 `json:"destination_port"`
	Method          string `json:"method"`
	Host            string `json:"host"`
	Path            string `json:"path"`
	Body            string `json:"body,omitempty"`

	ForwardedFor   string `json:"x_forwarded_for,omitempty"`
	ForwardedProto string `json:"x_forwarded_proto,omitempty"`
	ForwardedPort  string `json:"x_forwarded_port,omitempty"`

	Proxy *Introduction `json:"proxy_protocol,omitempty"`
}

// Introduction is what a PROXY protocol header told.
type Introduction struct {
	Local           bool   `json:"local,omitempty"`
	SourceIP        string `json:"source_ip,omitempty"`
	SourcePort      uint16 `json:"source_port,omitempty"`
	DestinationIP   string `json:"destination_ip,omitempty"`
	DestinationPort uint16 `json:"destination_port,omitempty"`
	EndpointID      string `json:"vpc_endpoint_id,omitempty"`
}

func introduce(h *ppv2.Header) *Introduction {
	switch {
	case h == nil:
		return nil
	case h.Local:
		return &Introduction{Local: true}
	}
	return &Introduction{
		SourceIP: h.Source.Addr().String(), SourcePort: h.Source.Port(),
		DestinationIP: h.Destination.Addr().String(), DestinationPort: h.Destination.Port(),
		EndpointID: h.EndpointID,
	}
}

// Answer answers what the routes say, or else what was seen. A client may ask for
// another body and for a late answer: ?bytes=100000&delay=200ms.
func (s *HTTP) Answer(v *Visit) *Response {
	r := &Response{Status: http.StatusOK, Header: http.Header{}}
	r.Header.Set(InstanceHeader, s.Instance)
	if body, ok := s.Routes[v.Request.URL.Path]; ok {
		r.Body = body
		if json.Valid([]byte(body)) {
			r.Header.Set("Content-Type", "application/json")
		}
	} else if len(s.Routes) > 0 {
		return r.say(http.StatusNotFound, "404 page not found")
	} else {
		r.Body = s.see(v)
		r.Header.Set("Content-Type", "application/json")
	}
	return r.wish(v.Request.URL.Query())
}

// see returns what was seen of a visit, as JSON.
func (s *HTTP) see(v *Visit) string {
	q := v.Request
	text, _ := json.MarshalIndent(Sight{ // strings and numbers always have a JSON form
		Instance: s.Instance, Method: q.Method, Host: q.Host, Path: q.URL.Path, Body: v.Body,
		SourceIP: v.Peer.Addr().String(), SourcePort: v.Peer.Port(),
		DestinationIP: v.Own.Addr().String(), DestinationPort: v.Own.Port(),
		ForwardedFor: q.Header.Get(ForwardedFor), ForwardedProto: q.Header.Get(ForwardedProto), ForwardedPort: q.Header.Get(ForwardedPort),
		Proxy: introduce(v.Proxy),
	}, "", "  ")
	return string(text) + "\n"
}

// wish does what the client's query asks for.
func (r *Response) wish(q url.Values) *Response {
	if text := q.Get("delay"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > MaxDelay {
			return r.say(http.StatusBadRequest, fmt.Sprintf("delay=%s: write a duration such as 200ms, at most %s", text, MaxDelay))
		}
		r.Delay = d
	}
	if text := q.Get("bytes"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > MaxBytes {
			return r.say(http.StatusBadRequest, fmt.Sprintf("bytes=%s: write a number from 0 to %d", text, MaxBytes))
		}
		r.Body, r.Filler = "", n
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	r.Header.Set("Content-Length", strconv.FormatInt(int64(len(r.Body))+r.Filler, 10))
	return r
}

// say makes r one line of text.
func (r *Response) say(status int, line string) *Response {
	r.Status, r.Body, r.Delay = status, line+"\n", 0
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("Content-Length", strconv.Itoa(len(r.Body)))
	return r
}

// Filler is an endless stream of bytes of no meaning.
type Filler struct{}

// Read implements [io.Reader].
func (Filler) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}
