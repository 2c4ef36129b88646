package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Suggest returns the known word that was most likely meant by word, or "" if
// none is near: it counts the letters to insert, delete, change or swap with
// their neighbour, and allows one for every three letters of word. Case does not
// count. Of equally near words the first in sorted order wins.
func Suggest(word string, known []string) string {
	// A word of one letter says nothing about what was meant.
	best, least := "", min(max(1, len(word)/3), len(word)-1)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if len(k) > len(word)+least || len(word) > len(k)+least {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the optimal string alignment distance of two words, in bytes.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 0
			if a[i-1] != b[j-1] {
				change = 1
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// hint is the end of a message about a word that should have been a known one:
// the word that was meant, or else the choices where they are few.
func hint(word string, known []string) string {
	if s := near(word, known); s != "" {
		return s
	}
	switch n := len(known); {
	case n == 0:
		return ""
	case n <= 8:
		return "; choose from " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	default:
		return fmt.Sprintf("; there are %d others", n)
	}
}

// near is hint without the list of choices.
func near(word string, known []string) string {
	if s := Suggest(word, known); s != "" {
		return fmt.Sprintf("; did you mean %s?", s)
	}
	return ""
}

// unknown says that nothing of a kind has the name.
func unknown(kind, name string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("there is no %s %q, nor any other", kind, name)
	}
	return fmt.Sprintf("there is no %s %q", kind, name) + hint(name, known)
}

// list joins words for people: a, b and c.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return "none"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
