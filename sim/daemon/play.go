package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

// play plays the scenario's story and tells of each step when it has been taken. A lab
// whose story nobody waits for any more ends.
func (s *server) play(ctx context.Context, out *json.Encoder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	res, err := s.player.Play(ctx, s.loaded.Scenario, nil, func(sr story.StepResult) {
		s.taken(sr)
		_ = out.Encode(reply{Step: &sr}) // it may be gone
	})
	s.steps.Played(s.loaded.Scenario.Steps)
	alone := ctx.Err() != nil // who has the answer may go at once
	last := reply{Story: res}
	if err != nil {
		var program *netns.ProgramError
		last.Error = &Error{Text: err.Error(), NotFound: errors.As(err, &program)}
	}
	if out.Encode(last) != nil || alone {
		s.down()
	}
}

// Play has the lab play the story of its scenario and calls done after each step. Where
// ctx ends before the story, the lab does, too. The result is there also beside an error.
func (l *Lab) Play(ctx context.Context, done func(story.StepResult)) (*story.Result, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(l.dir, socketName), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("speak to lab %s: %w", l.Name, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewEncoder(conn).Encode(request{Play: true}); err != nil {
		return nil, fmt.Errorf("speak to lab %s: %w", l.Name, err)
	}
	for in := json.NewDecoder(conn); ; {
		var r reply
		switch err := in.Decode(&r); {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, fmt.Errorf("lab %s ended before its story did", l.Name)
		case r.Step != nil:
			done(*r.Step)
		case r.Error != nil:
			return r.Story, r.Error
		case r.Story != nil:
			return r.Story, nil
		default:
			return nil, errors.New("the lab's plsim answers what this one does not know: it is another version")
		}
	}
}
