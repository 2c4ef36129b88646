package bench

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

// Client and server of a path are further copies of the program that measures:
// nothing has to be installed, they share no scheduler with the forwarder, and
// they are the same whatever stands between them.

const (
	trafficProgram = "/proc/self/exe"
	serverRole     = "plsim-bench-server"
	clientRole     = "plsim-bench-client"
	splicerRole    = "plsim-bench-splicer"
)

// RunTraffic makes this process a client, a server or a proxy between them if a harness
// started it as one, and then does not return. A program that measures calls it before
// anything else.
func RunTraffic() {
	if len(os.Args) != 2 {
		return
	}
	var err error
	switch os.Args[1] {
	case serverRole:
		err = serve()
	case clientRole:
		err = answer(os.Stdin, os.Stdout)
	case splicerRole:
		err = splice()
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// What a client asks of a connection, in its first byte. A size and a seed
// follow, eight bytes each, big endian.
const (
	opDiscard = 'd' // read chunks up to one that begins with last, then send how many bytes there were
	opHash    = 'h' // read size bytes, then send their SHA-256
	opSend    = 's' // send size random bytes and their SHA-256
	opEcho    = 'e' // send back what comes
	opByte    = 'b' // send one byte, then wait for the end
	opCount   = 'c' // tell of the datagrams whose run is the seed
)

const headerLen = 1 + 8 + 8

func header(op byte, size int64, seed uint64) []byte {
	b := append(make([]byte, 0, headerLen), op)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	return binary.BigEndian.AppendUint64(b, seed)
}

// chunk is what is read or written at a time.
const chunk = 128 << 10

// last is the first byte of a stream's last chunk; those before begin with 0.
const last = 1

// serve answers connections until the process is killed.
func serve() error {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	broken := make(chan error, 2)
	var count datagramCount
	go func() { broken <- count.receive() }()
	go func() {
		broken <- accept(l.(*net.TCPListener), func(c *os.File, h [headerLen]byte) {
			go func() {
				_ = serveFile(c, h, &count) // the client tells
				_ = c.Close()
			}()
		})
	}()
	return <-broken
}

// serveFile does on a connection what its header asks for.
func serveFile(c *os.File, h [headerLen]byte, count *datagramCount) error {
	size, seed := binary.BigEndian.Uint64(h[1:]), binary.BigEndian.Uint64(h[9:])
	switch h[0] {
	case opCount:
		return count.tell(c, seed)
	case opDiscard:
		n, err := discard(c)
		if err != nil {
			return err
		}
		_, err = c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
		return err
	case opHash:
		sum, err := hashOf(c, int64(size))
		if err != nil {
			return err
		}
		_, err = c.Write(sum)
		return err
	case opSend:
		sum, err := sendRandom(c, int64(size), seed)
		if err != nil {
			return err
		}
		_, err = c.Write(sum)
		return err
	case opEcho:
		b := make([]byte, 64)
		for {
			n, err := c.Read(b)
			if err != nil {
				return err
			}
			if _, err := c.Write(b[:n]); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("unknown operation %q", h[0])
}

// discard reads a stream and returns how many bytes there were.
func discard(r io.Reader) (total int64, err error) {
	for b := make([]byte, chunk); b[0] != last; total += chunk {
		if _, err := io.ReadFull(r, b); err != nil {
			return total, err
		}
	}
	return total, nil
}
