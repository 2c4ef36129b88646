package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/plsim/plsim/sim/diagnose"
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// server answers for a lab.
type server struct {
	info   Info
	world  *emulate.World
	loaded *scenario.Loaded // guarded by edition where mu is not held
	down   context.CancelFunc

	taken func(story.StepResult)

	edition sync.RWMutex
	mu      sync.Mutex // one step at a time
	steps   *scenario.Living
	player  *story.Player

	journal []entry // the steps that did something

	wg sync.WaitGroup
}

// Serve answers requests until somebody asks for the lab's end, the lab ends by itself or
// ctx does. All programs that were asked for have ended when it returns.
func (i *Inherited) Serve(ctx context.Context, l *scenario.Loaded, w *emulate.World) error {
	listener, err := i.listen()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{
		info: i.Info, world: w, loaded: l, down: cancel, taken: func(story.StepResult) {}, steps: scenario.NewLiving(l),
	}
	explained := diagnose.Explained
	if i.Riddle {
		explained = diagnose.Shown
	}
	s.player = story.NewPlayer(l.Lab, explained(w, l, true, i.Info.Seed))
	if i.Taken != nil {
		s.taken = i.Taken
	}
	defer listener.Close()
	context.AfterFunc(ctx, func() { listener.Close() })
	go func() {
		select {
		case <-w.Ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		c, err := listener.Accept()
		if err != nil {
			break // closed
		}
		s.wg.Go(func() {
			defer c.Close()
			s.answer(ctx, c.(*net.UnixConn))
		})
	}
	s.wg.Wait()
	return nil
}

// answer reads one request and answers it.
func (s *server) answer(ctx context.Context, c *net.UnixConn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.CloseRead() })() // so that nobody is waited for
	uid, err := netns.Peer(c)
	if err != nil || uid != os.Getuid() && uid != 0 {
		return // the directory keeps all others away
	}
	first := make([]byte, 64<<10)
	n, files, err := netns.ReceiveFiles(c, first)
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil {
		return
	}
	in := json.NewDecoder(io.MultiReader(bytes.NewReader(first[:n]), c))
	var r request
	if err := in.Decode(&r); err != nil {
		return // whoever it was is gone
	}
	// What goes on ends when whoever asked goes away.
	signals := make(chan syscall.Signal)
	go func() {
		defer cancel()
		for {
			var sig signalled
			if in.Decode(&sig) != nil {
				return
			}
			select {
			case signals <- syscall.Signal(sig.Signal):
			case <-ctx.Done():
				return
			}
		}
	}()
	out := json.NewEncoder(c)
	if r.Play {
		s.play(ctx, out)
		return
	}
	_ = out.Encode(s.do(ctx, &r, files, signals)) // it may be gone
	if r.Down {
		s.down()
	}
}

// do does what is asked for.
func (s *server) do(ctx context.Context, r *request, files []*os.File, signals <-chan syscall.Signal) *reply {
	switch {
	case r.Status:
		return &reply{Instances: s.world.Instances()}
	case r.Exec != nil:
		return s.exec(ctx, r.Exec, files, signals)
	case r.Step != "":
		return s.step(ctx, r.Step, r.Aside)
	case r.Journal:
		return s.written()
	case r.Apply != nil:
		return s.apply(ctx, r.Apply)
	case r.Capture != nil:
		return s.capture(ctx, r.Capture, files, signals)
	case r.Flows != nil:
		return s.flows(r.Flows)
	case r.Activity > 0:
		return s.activity(r.Activity)
	case r.Choices != nil:
		return s.choices(r.Choices)
	case r.Explain != nil:
		return s.explain(ctx, r.Explain)
	case r.Graph != "":
		return s.graph(r.Graph)
	case r.Down:
		return new(reply)
	}
	return refuse("this lab's plsim does not know the request: it is another version than yours")
}

func refuse(format string, args ...any) *reply {
	return &reply{Error: &Error{Text: fmt.Sprintf(format, args...), Usage: true}}
}

// exec runs a program until it ends.
func (s *server) exec(ctx context.Context, p *Program, files []*os.File, signals <-chan syscall.Signal) *reply {
	if len(files) != 3 {
		return refuse("a program needs its standard input, output and error")
	}
	var h *topology.Host
	err := s.world.Look(func(lab *topology.Lab) (err error) {
		h, err = lab.Instance(p.Instance)
		return err
	})
	if err != nil {
		return refuse("%v", err)
	}
	process, err := s.world.Launch(ctx, h, netns.Cmd{
		Argv: p.Argv, Env: p.Env, Stdin: files[0], Stdout: files[1], Stderr: files[2], Terminal: p.Terminal,
	})
	var program *netns.ProgramError
	switch {
	case errors.As(err, &program):
		return &reply{Error: &Error{Text: err.Error(), Usage: true, NotFound: true}}
	case err != nil:
		return &reply{Error: &Error{Text: err.Error()}}
	}
	for {
		select {
		case sig := <-signals:
			process.Signal(sig)
		case <-process.Done():
			code, err := process.Wait()
			if err != nil {
				return &reply{Error: &Error{Text: err.Error()}}
			}
			return &reply{ExitCode: code}
		}
	}
}

// step takes a step of the scenario language, and writes it down unless it is aside.
func (s *server) step(ctx context.Context, text string, aside bool) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	step, err := story.Read(s.world, s.steps, text)
	var mistakes scenario.Mistakes
	switch {
	case errors.As(err, &mistakes):
		return refuse("%s", strings.TrimSuffix(mistakes.Excerpt(), "\n"))
	case err != nil:
		return &reply{Error: &Error{Text: err.Error()}}
	}
	res, err := s.player.Take(ctx, step)
	if err != nil {
		return &reply{Error: &Error{Text: err.Error()}}
	}
	s.taken(res)
	if res.Acted() && !aside {
		s.note(step, text)
	}
	return &reply{Step: &res}
}
