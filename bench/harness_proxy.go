package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/plsim/plsim/topology/netns"
)

// Proxies end the client's connection in the middle and open another to the server.
// Each is as its package brings it, but for the ways in and out.

// The proxies' way in and their way out.
var (
	proxyIn  = net.JoinHostPort(clientGate, strconv.Itoa(port))
	proxyOut = net.JoinHostPort(serverAddr, strconv.Itoa(port))
)

const haproxyConfig = `
defaults
	mode tcp
	timeout connect 10s
	timeout client 1h
	timeout server 1h
listen bench
	bind %s
	server server %s
`

func newHAProxy(ctx context.Context) (*path, error) {
	return newProxy(ctx, "haproxy", fmt.Sprintf(haproxyConfig, proxyIn, proxyOut), "haproxy", "-db", "-q", "-f", "/dev/stdin")
}

const nginxConfig = `
daemon off;
worker_processes auto;
pid /dev/null;
error_log stderr emerg;
%s
events { worker_connections 4096; }
stream { server { listen %s backlog=4096; proxy_pass %s; } }
`

// nginxStream loads the module that proxies TCP, where it is not built in.
const nginxStream = "load_module modules/ngx_stream_module.so;"

func newNginx(ctx context.Context) (*path, error) {
	module := ""
	if _, err := os.Stat("/usr/lib/nginx/modules/ngx_stream_module.so"); err == nil {
		module = nginxStream
	}
	return newProxy(ctx, "nginx", fmt.Sprintf(nginxConfig, module, proxyIn, proxyOut), "nginx", "-c", "/dev/stdin", "-e", "stderr")
}

func newSocat(ctx context.Context) (*path, error) {
	listen := fmt.Sprintf("TCP-LISTEN:%d,bind=%s,fork,reuseaddr,backlog=4096", port, clientGate)
	return newProxy(ctx, "socat", "", "socat", listen, "TCP:"+proxyOut)
}

func newSplicer(ctx context.Context) (*path, error) {
	return newProxy(ctx, "splice", "", trafficProgram, splicerRole)
}

// newProxy builds a path through a program in the middle, which reads its configuration
// from its standard input. One that does not serve is missing.
func newProxy(ctx context.Context, name, config string, argv ...string) (*path, error) {
	needed := []string{"ip"}
	if argv[0] != trafficProgram {
		needed = append(needed, argv[0])
	}
	if err := installed(needed...); err != nil {
		return nil, &Missing{name, err}
	}
	d := new(double)
	err := d.route(ctx, name)
	var stdin *os.File
	if err == nil {
		stdin, err = nameless(config)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	defer stdin.Close()
	var complaint complaints
	_, err = d.middle.Start(ctx, netns.Cmd{Argv: argv, Stdin: stdin, Stdout: &complaint, Stderr: &complaint})
	p, err := d.path(ctx, clientGate, err)
	switch said := complaint.String(); {
	case err != nil && said != "":
		return nil, &Missing{name, errors.New(said)}
	case err == nil:
		p.tcpOnly = true
	}
	return p, err
}

// nameless returns a file with a text, which no directory has: a program that wants to
// know how long its configuration is does not take a pipe.
func nameless(text string) (*os.File, error) {
	f, err := os.CreateTemp("", "plsim-bench")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// complaints is what a proxy has printed: its first words.
type complaints struct {
	mu   sync.Mutex
	text []byte
}

func (c *complaints) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, b[:min(len(b), 1000-len(c.text))]...)
	return len(b), nil
}

func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(string(c.text))
}

// splice is the proxy in Go: two goroutines a connection, which copy by splice(2).
func splice() error {
	l, err := net.Listen("tcp", proxyIn)
	if err != nil {
		return err
	}
	for {
		in, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			_ = join(in.(*net.TCPConn)) // the client tells
		}()
	}
}

// join connects a client to the server until both have said all.
func join(client *net.TCPConn) error {
	c, err := net.Dial("tcp", proxyOut)
	if err != nil {
		return errors.Join(err, client.Close())
	}
	server := c.(*net.TCPConn)
	one := func(to, from *net.TCPConn) error {
		_, err := io.Copy(to, from)
		if err != nil {
			return errors.Join(err, to.SetLinger(0), to.Close()) // a reset is handed on
		}
		return to.CloseWrite()
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = one(server, client) })
	wg.Go(func() { _ = one(client, server) })
	wg.Wait()
	return errors.Join(client.Close(), server.Close())
}
