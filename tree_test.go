// Package plsim_test holds the tests of the repository as a whole: who imports
// whom, what the core may touch, and whether the documents say what is true.
// They read the sources themselves, since the output of go list would be missing
// from what the test cache watches.
package plsim_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/plsim/plsim"

// A source is one Go file of the repository.
type source struct {
	path    string // from the repository's root, with slashes
	dir     string // of path: the package's name within the module
	test    bool
	lines   int
	text    string
	syntax  *ast.File
	imports []string
}

// A tree is the repository.
type tree struct {
	fset    *token.FileSet
	sources []*source
	files   []string // every file, testdata included
}

var readTree = sync.OnceValues(func() (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin"):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		name = filepath.ToSlash(name)
		t.files = append(t.files, name)
		if strings.HasSuffix(name, ".go") && !strings.Contains(name, "testdata/") {
			return t.parse(name)
		}
		return nil
	})
	return t, err
})

func (t *tree) parse(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s := &source{
		path:   name,
		dir:    path.Dir(name),
		test:   strings.HasSuffix(name, "_test.go"),
		lines:  strings.Count(string(text), "\n"),
		text:   string(text),
		syntax: syntax,
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		s.imports = append(s.imports, p)
	}
	t.sources = append(t.sources, s)
	return nil
}

// repository returns the repository, read once for all tests.
func repository(t *testing.T) *tree {
	t.Helper()
	tree, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// localName returns the name under which s uses the package at importPath, or
// "" where it does not import it.
func (s *source) localName(importPath string) string {
	for i, p := range s.imports {
		if p != importPath {
			continue
		}
		if name := s.syntax.Imports[i].Name; name != nil {
			return name.Name
		}
		base := path.Base(p)
		if base == "v2" {
			base = path.Base(path.Dir(p))
		}
		return base
	}
	return ""
}

// uses calls f for every NAME that s writes as pkg.NAME, pkg being the package
// at importPath.
func (s *source) uses(importPath string, f func(name string, pos token.Pos)) {
	local := s.localName(importPath)
	if local == "" {
		return
	}
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				f(sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}

// read returns the text of a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
