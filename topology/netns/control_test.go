package netns

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	held, err := Lock(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(file); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	want := func(locked bool) {
		t.Helper()
		if got, err := Locked(file); err != nil || got != locked {
			t.Errorf("locked: %t, %v; want %t", got, err, locked)
		}
	}
	want(true)
	other, err := Dup(held)
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	want(true) // the same open file is open still
	other.Close()
	want(false)
	held, err = Lock(file)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	// A file that is no more is not locked again: the new one is.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Locked(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	again, err := Lock(file)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	want(true)
}

func TestPrivateDir(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "own")
	for range 2 { // made, and found
		if err := PrivateDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	link, file := filepath.Join(base, "link"), filepath.Join(base, "file")
	if err := errors.Join(os.Symlink(dir, link), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, file} {
		if err := PrivateDir(path); err == nil || !strings.HasSuffix(err.Error(), "is no directory") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := PrivateDir(dir); err == nil || !strings.Contains(err.Error(), "open to others: chmod 0700 ") {
		t.Errorf("open to others: %v", err)
	}
}

// A request that is larger than a socket's buffer arrives whole, with its files.
func TestSendFiles(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sent := bytes.Repeat([]byte("words "), 200_000)
	failed := make(chan error, 1)
	go func() {
		c, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
		if err == nil {
			err = errors.Join(SendFiles(c, sent, w), w.Close(), c.Close())
		}
		failed <- err
	}()
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, err := Peer(c); err != nil || uid != os.Getuid() {
		t.Errorf("the peer is %d, %v", uid, err)
	}
	first := make([]byte, 1000)
	n, files, err := ReceiveFiles(c, first)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	rest, err := io.ReadAll(c)
	if err = errors.Join(err, <-failed); err != nil || !bytes.Equal(append(first[:n], rest...), sent) {
		t.Errorf("%d bytes of %d, %v", n+len(rest), len(sent), err)
	}
	if _, err := files[0].WriteString("through"); err != nil {
		t.Error(err)
	}
	files[0].Close() // the last one
	if got, err := io.ReadAll(r); err != nil || string(got) != "through" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTerminal(t *testing.T) {
	own, program, err := NewTerminal()
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer own.Close()
	defer program.Close()
	if _, err := RawTerminal(os.NewFile(0, "none")); err == nil {
		t.Log("standard input is a terminal")
	}
	restore, err := RawTerminal(program)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.WriteString("\x03"); err != nil { // no signal, but a byte
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := program.Read(b); err != nil || string(b[:n]) != "\x03" {
		t.Errorf("%q, %v", b[:n], err)
	}
	restore()
	if err := CopyTerminalSize(own, program); err != nil {
		t.Error(err)
	}
	if _, err := own.WriteString("line\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := program.Read(b); err != nil || string(b[:n]) != "line\n" {
		t.Errorf("%q, %v", b[:n], err)
	}
}
