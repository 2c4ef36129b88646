package simulate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/story"
)

// Request implements [story.World].
func (w *World) Request(ctx context.Context, r *scenario.Request) (story.Response, error) {
	from, err := w.instance(r.From)
	if err != nil {
		return story.Response{}, err
	}
	req, err := r.HTTP(ctx)
	if err != nil {
		return story.Response{}, err
	}
	x := w.ask(from, req, r.Timeout.Duration(), nil)
	err = w.within(ctx, w.lasts(r.Timeout.Duration()), x.finished)
	x.giveUp()
	return x.response, err
}

// ask sends a request on a connection of its own. done, which may be nil, is called
// when it is answered, or has failed; the caller gives up after limit.
func (w *World) ask(from *instance, req *http.Request, limit time.Duration, done func()) *exchange {
	x := &exchange{req: req, limit: limit, done: done, peer: req.URL.Host}
	name, port := req.URL.Hostname(), req.URL.Port()
	if port == "" {
		port = "80"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		x.fail(story.Failure{Kind: story.HTTP, Detail: err.Error()})
		return x
	}
	x.client = &client{attempt: attempt{from: from.host, port: uint16(number)}, connected: x.send, received: x.receive, ended: x.end}
	w.resolve(from, name, w.lasts(limit), func(addrs []netip.Addr, err error) {
		if x.over {
			return
		}
		if err != nil {
			x.fail(failure(err, x.peer, limit))
			return
		}
		x.client.addrs = addrs
		x.client.dial()
	})
	return x
}

// exchange is one HTTP request and its answer.
type exchange struct {
	req      *http.Request
	client   *client
	limit    time.Duration
	peer     string
	body     []byte // what has come
	response story.Response
	over     bool
	done     func()
}

func (x *exchange) finished() bool { return x.over }

// send sends the request with the headers that programs' clients send.
func (x *exchange) send() {
	var b bytes.Buffer
	req := x.req.Clone(context.Background())
	req.Close = true
	req.Header.Set("Accept-Encoding", "gzip")
	_ = req.Write(&b) // a buffer takes all
	x.client.send(b.Bytes())
}

func (x *exchange) receive(data []byte) {
	if x.over {
		return
	}
	x.body = append(x.body, data...)
	x.read(false)
}

// read looks whether the answer is whole; if no more comes it has to be.
func (x *exchange) read(last bool) {
	resp, body, err := wholeResponse(x.body, x.req, last)
	switch {
	case err == nil:
		x.finish(story.Response{Status: resp.StatusCode, Headers: resp.Header, Body: string(body[:min(len(body), service.MaxBody)])})
	case !unfinished(err):
		x.fail(story.Failure{Kind: story.HTTP, Detail: x.address() + ": " + err.Error()})
	case last:
		x.fail(story.HalfAnswer(x.address()))
	}
}

func (x *exchange) end(err error) {
	if errors.Is(err, io.EOF) {
		x.read(true)
		return
	}
	x.fail(failure(err, x.address(), x.limit))
}

// address returns what was tried last, or what was to be reached.
func (x *exchange) address() string {
	if x.client != nil && x.client.peer.IsValid() {
		return x.client.peer.String()
	}
	return x.peer
}

func (x *exchange) fail(f story.Failure) { x.finish(story.Response{Failure: f}) }

func (x *exchange) finish(r story.Response) {
	if x.over {
		return
	}
	x.over, x.response, x.body = true, r, nil
	if x.client != nil {
		x.client.close()
	}
	if x.done != nil {
		x.done()
	}
}

// giveUp ends an exchange that has taken too long.
func (x *exchange) giveUp() { x.fail(story.TimedOut(x.address(), x.limit)) }

// hopelessAfter is how many requests must fail, and none succeed, before the rest are
// given up.
const hopelessAfter = 16

// Connect implements [story.World].
func (w *World) Connect(ctx context.Context, c *scenario.Connections) (*story.Tally, error) {
	from, err := w.instance(c.From)
	if err != nil {
		return nil, err
	}
	var tally story.Tally
	running, begun := 0, 0
	var begin func()
	begin = func() {
		if begun == c.Count {
			return
		}
		begun++
		// Where nobody answers, hundreds of timeouts tell no more than the first.
		if tally.Succeeded == 0 && tally.Failed >= max(hopelessAfter, c.Concurrency) {
			tally.Failed++
			tally.Untried++
			w.queue.CallAt(w.queue.Now(), begin)
			return
		}
		req, err := http.NewRequest(http.MethodGet, "http://"+c.To+"/", nil)
		if err != nil {
			w.fail(err)
			return
		}
		running++
		began := w.queue.Now()
		var x *exchange
		x = w.ask(from, req, c.Timeout.Duration(), func() {
			w.queue.CallAt(w.queue.Now(), func() {
				running--
				tally.Respond(x.response, w.queue.Now().Sub(began)/w.scale)
				begin()
			})
		})
		w.queue.CallAt(w.queue.Now().Add(w.lasts(c.Timeout.Duration())), x.giveUp)
	}
	for range min(c.Concurrency, c.Count) {
		begin()
	}
	err = w.run(ctx, endOfTime, func() bool { return running == 0 && begun == c.Count })
	return &tally, err
}
