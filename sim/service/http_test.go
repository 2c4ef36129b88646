package service_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/ppv2"
	"github.com/plsim/plsim/sim/service"
)

func visit(target string) *service.Visit {
	return &service.Visit{
		Request: httptest.NewRequest(http.MethodGet, target, nil),
		Peer:    netip.MustParseAddrPort("10.0.0.9:40000"), Own: netip.MustParseAddrPort("10.0.0.4:80"),
	}
}

// What a client asks for in its query, it gets, unless that makes no sense.
func TestAnswer(t *testing.T) {
	plain := &service.HTTP{Instance: "shop/web"}
	routed := &service.HTTP{Instance: "shop/web", Routes: map[string]string{"/status": `{"ok": true}`, "/text": "hello"}}
	for _, tt := range []struct {
		name   string
		server *service.HTTP
		target string
		want   service.Response // without its header
		kind   string           // Content-Type
		length string
	}{
		{"a route", routed, "/text", service.Response{Status: 200, Body: "hello"}, "", "5"},
		{"a route with JSON", routed, "/status", service.Response{Status: 200, Body: `{"ok": true}`}, "application/json", "12"},
		{"no route", routed, "/?bytes=3&delay=1s", service.Response{Status: 404, Body: "404 page not found\n"}, "text/plain; charset=utf-8", "19"},
		{"a late route", routed, "/text?delay=1.5s", service.Response{Status: 200, Body: "hello", Delay: 1500 * time.Millisecond}, "", "5"},
		{"many bytes", plain, "/x?bytes=1000000", service.Response{Status: 200, Filler: 1000000}, "application/octet-stream", "1000000"},
		{"no bytes", plain, "/?bytes=0", service.Response{Status: 200}, "application/octet-stream", "0"},
		{"too many", plain, "/?bytes=1073741825", service.Response{Status: 400, Body: "bytes=1073741825: write a number from 0 to 1073741824\n"}, "text/plain; charset=utf-8", "54"},
		{"no number", plain, "/?bytes=-1&delay=1s", service.Response{Status: 400, Body: "bytes=-1: write a number from 0 to 1073741824\n"}, "text/plain; charset=utf-8", "46"},
		{"no unit", plain, "/?delay=5", service.Response{Status: 400, Body: "delay=5: write a duration such as 200ms, at most 10m0s\n"}, "text/plain; charset=utf-8", "55"},
		{"too late", plain, "/?delay=11m", service.Response{Status: 400, Body: "delay=11m: write a duration such as 200ms, at most 10m0s\n"}, "text/plain; charset=utf-8", "57"},
	} {
		got := tt.server.Answer(visit(tt.target))
		if got.Status != tt.want.Status || got.Body != tt.want.Body || got.Filler != tt.want.Filler || got.Delay != tt.want.Delay {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if h := got.Header; h.Get("Content-Type") != tt.kind || h.Get("Content-Length") != tt.length || h.Get(service.InstanceHeader) != "shop/web" {
			t.Errorf("%s: headers %v, want %s of %s", tt.name, h, tt.length, tt.kind)
		}
	}
}

// A server tells what it saw, and what stood before the connection (F2.36, F2.41).
func TestSight(t *testing.T) {
	v := visit("http://api.example.com/a/path")
	v.Request.Header.Set("X-Forwarded-For", "192.0.2.1")
	v.Body = "hello"
	v.Proxy = &ppv2.Header{
		Source: netip.MustParseAddrPort("172.16.0.4:50000"), Destination: netip.MustParseAddrPort("172.16.0.5:80"), EndpointID: "vpce-1",
	}
	want := service.Sight{
		Instance: "shop/web", SourceIP: "10.0.0.9", SourcePort: 40000, DestinationIP: "10.0.0.4", DestinationPort: 80,
		Method: "GET", Host: "api.example.com", Path: "/a/path", Body: "hello", ForwardedFor: "192.0.2.1",
	}
	introduction := service.Introduction{SourceIP: "172.16.0.4", SourcePort: 50000, DestinationIP: "172.16.0.5", DestinationPort: 80, EndpointID: "vpce-1"}
	server := &service.HTTP{Instance: "shop/web"}
	see := func() service.Sight {
		var got service.Sight
		if err := json.Unmarshal([]byte(server.Answer(v).Body), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := see()
	if got.Proxy == nil || *got.Proxy != introduction {
		t.Errorf("the introduction is %+v, want %+v", got.Proxy, introduction)
	}
	if got.Proxy = nil; got != want {
		t.Errorf("seen: %+v, want %+v", got, want)
	}
	v.Proxy = &ppv2.Header{Local: true}
	if got := see(); *got.Proxy != (service.Introduction{Local: true}) {
		t.Errorf("the introduction of a health check is %+v", got.Proxy)
	}
}

func TestFiller(t *testing.T) {
	if b, err := io.ReadAll(io.LimitReader(service.Filler{}, 3)); string(b) != "xxx" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
