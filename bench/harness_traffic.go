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
)

// RunTraffic makes this process a client or a server if a harness started it as
// one, and then does not return. A program that measures calls it before
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
	opDiscard = 'd' // read to the end, then send how many bytes there were
	opHash    = 'h' // read to the end, then send their SHA-256
	opSend    = 's' // send size random bytes and their SHA-256
	opEcho    = 'e' // send back what comes
	opClose   = 'c' // send one byte and close
)

const headerLen = 1 + 8 + 8

func header(op byte, size int64, seed uint64) []byte {
	b := append(make([]byte, 0, headerLen), op)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	return binary.BigEndian.AppendUint64(b, seed)
}

// chunk is what is read or written at a time.
const chunk = 128 << 10

// serve answers connections until the process is killed.
func serve() error {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_ = serveConn(c) // the client tells
		}()
	}
}

func serveConn(c net.Conn) error {
	var h [headerLen]byte
	if _, err := io.ReadFull(c, h[:]); err != nil {
		return err
	}
	size, seed := binary.BigEndian.Uint64(h[1:]), binary.BigEndian.Uint64(h[9:])
	switch h[0] {
	case opDiscard:
		n, err := discard(c)
		if err != nil {
			return err
		}
		_, err = c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
		return err
	case opHash:
		sum, err := hashOf(c, -1)
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
	case opClose:
		_, err := c.Write(h[:1])
		return err
	}
	return fmt.Errorf("unknown operation %q", h[0])
}

// discard reads to the end and returns how much there was.
func discard(r io.Reader) (total int64, err error) {
	b := make([]byte, chunk)
	for {
		n, err := r.Read(b)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
