package traffic

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/plsim/plsim/sim/scenario"
)

// Path returns what the requests of a generator ask for, so that the answers have the
// size that it wants.
func Path(t *scenario.Traffic) string { return path(t.Path, t.Size) }

// DownPath returns what a stream down asks for: so many bytes.
func DownPath(bytes int) string { return path("/", bytes) }

func path(p string, bytes int) string {
	if bytes == 0 {
		return p
	}
	separator := "?"
	if strings.Contains(p, "?") {
		separator = "&"
	}
	return fmt.Sprintf("%s%sbytes=%d", p, separator, bytes)
}

// Request returns a request as it goes on the wire: over a connection that is kept, unless
// it is the last on its connection.
func Request(to, path string, last bool) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+to+path, nil)
	if err != nil {
		return nil, err
	}
	req.Close = last
	var b bytes.Buffer
	err = req.Write(&b)
	return b.Bytes(), err
}
