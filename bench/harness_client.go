package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

// request says what a client does. Exactly one of the fields after To is set.
type request struct {
	To string

	Streams int `json:",omitempty"` // fill this many connections for For
	For     time.Duration

	Connections int `json:",omitempty"` // open this many connections, a few at a time

	RoundTrips int `json:",omitempty"` // on one connection, a byte there and a byte back

	Datagrams bool `json:",omitempty"` // look for the most that arrives, in attempts of For

	Upload, Download int64 `json:",omitempty"` // bytes made from Seed
	Seed             uint64
}

// reply says what came of it.
type reply struct {
	Bytes   int64         `json:",omitempty"` // that arrived
	Elapsed time.Duration `json:",omitempty"`
	CPU     time.Duration `json:",omitempty"` // of all processors, spent on anything

	P50, P99 time.Duration `json:",omitempty"` // of the round trips

	Best, Lossless float64 `json:",omitempty"` // datagrams a second

	Sent, Received string `json:",omitempty"` // SHA-256 at the sender and at the receiver
}

// answer reads a request, does it, and writes the reply.
func answer(in io.Reader, out io.Writer) error {
	var r request
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return err
	}
	a, err := r.do()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

func (r *request) do() (reply, error) {
	switch {
	case r.Streams > 0:
		return r.stream()
	case r.Connections > 0:
		return r.connect()
	case r.RoundTrips > 0:
		return r.roundTrips()
	case r.Datagrams:
		return r.datagrams()
	case r.Upload > 0:
		return r.upload()
	case r.Download > 0:
		return r.download()
	}
	return reply{}, errors.New("an empty request")
}

// begin opens a connection and says what it is for.
func (r *request) begin(op byte, size int64) (*net.TCPConn, error) {
	c, err := net.DialTimeout("tcp", r.To, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(header(op, size, r.Seed)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c.(*net.TCPConn), nil
}

// blocking is begin for what moves many bytes or wakes up often.
func (r *request) blocking(op byte, size int64) (*os.File, error) {
	c, err := r.begin(op, size)
	if err != nil {
		return nil, err
	}
	return netns.Blocking(c)
}

// parallel runs n copies of f at a time.
func parallel(n int, f func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// stream counts what has arrived when the server says so: what still lies in
// buffers when the time is up is waited for, and so is the time.
func (r *request) stream() (a reply, err error) {
	var total atomic.Int64
	idle, all, err := processorTimes()
	if err != nil {
		return a, err
	}
	began := time.Now()
	err = parallel(r.Streams, func() error {
		c, err := r.blocking(opDiscard, 0)
		if err != nil {
			return err
		}
		defer c.Close()
		for b := make([]byte, chunk); b[0] != last; {
			if time.Since(began) >= r.For {
				b[0] = last
			}
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		var n [8]byte
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return err
		}
		total.Add(int64(binary.BigEndian.Uint64(n[:])))
		return nil
	})
	if err != nil {
		return a, err
	}
	a = reply{Bytes: total.Load(), Elapsed: time.Since(began)}
	idle2, all2, err := processorTimes()
	a.CPU = (all2 - all) - (idle2 - idle)
	return a, err
}

func (r *request) roundTrips() (a reply, err error) {
	c, err := r.blocking(opEcho, 0)
	if err != nil {
		return a, err
	}
	defer c.Close()
	took, b := make([]time.Duration, r.RoundTrips), make([]byte, 1)
	for i := range took {
		began := time.Now()
		if _, err := c.Write(b); err != nil {
			return a, err
		}
		if _, err := io.ReadFull(c, b); err != nil {
			return a, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	a.P50, a.P99 = took[len(took)/2], took[len(took)*99/100]
	return a, nil
}

func (r *request) upload() (a reply, err error) {
	c, err := r.blocking(opHash, r.Upload)
	if err != nil {
		return a, err
	}
	defer c.Close()
	sent, err := sendRandom(c, r.Upload, r.Seed)
	if err != nil {
		return a, err
	}
	received := make([]byte, sha256.Size)
	_, err = io.ReadFull(c, received)
	return reply{Sent: hex.EncodeToString(sent), Received: hex.EncodeToString(received)}, err
}

func (r *request) download() (a reply, err error) {
	c, err := r.blocking(opSend, r.Download)
	if err != nil {
		return a, err
	}
	defer c.Close()
	received, err := hashOf(c, r.Download)
	if err != nil {
		return a, err
	}
	sent := make([]byte, sha256.Size)
	_, err = io.ReadFull(c, sent)
	return reply{Sent: hex.EncodeToString(sent), Received: hex.EncodeToString(received)}, err
}

// sendRandom writes size bytes made from seed and returns their SHA-256.
func sendRandom(w io.Writer, size int64, seed uint64) ([]byte, error) {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	random, sum := rand.NewChaCha8(key), sha256.New()
	for b := make([]byte, chunk); size > 0; size -= int64(len(b)) {
		b = b[:min(size, chunk)]
		_, _ = random.Read(b) // neither can fail
		_, _ = sum.Write(b)
		if _, err := w.Write(b); err != nil {
			return nil, err
		}
	}
	return sum.Sum(nil), nil
}

// hashOf returns the SHA-256 of the next size bytes.
func hashOf(r io.Reader, size int64) ([]byte, error) {
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, io.LimitReader(r, size), make([]byte, chunk)); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}
