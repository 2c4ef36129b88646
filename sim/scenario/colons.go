package scenario

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// joinColons mends how the lexer reads a colon in a list within a mapping in
// braces: { cidr_blocks: [2001:db8::/32] } has a text in its list, and no mapping,
// since no space follows the colon (YAML 1.2, section 7.3.3). Anywhere else the
// lexer knows.
func joinColons(tokens token.Tokens) token.Tokens {
	var out token.Tokens
	var open []token.Type
	braces := 0
	for i, tk := range tokens {
		last := len(open) - 1
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			open = append(open, tk.Type)
			if tk.Type == token.MappingStartType {
				braces++
			}
		case token.SequenceEndType, token.MappingEndType:
			if last >= 0 {
				if open[last] == token.MappingStartType {
					braces--
				}
				open = open[:last]
			}
		default:
			inList := braces > 0 && last >= 0 && open[last] == token.SequenceStartType
			delimits := tk.Type == token.MappingValueType && (i+1 == len(tokens) || !touches(tk, tokens[i+1]))
			if prev := len(out) - 1; inList && !delimits && prev >= 0 && touches(out[prev], tk) {
				out[prev] = token.New(out[prev].Value+tk.Value, out[prev].Origin+tk.Origin, out[prev].Position)
				continue
			}
		}
		out = append(out, tk)
	}
	for i, tk := range out {
		tk.Prev, tk.Next = nil, nil
		if i > 0 {
			tk.Prev, out[i-1].Next = out[i-1], tk
		}
	}
	return out
}

// touches reports whether next, a plain text or a colon, directly follows another
// such token.
func touches(tk, next *token.Token) bool {
	return isPlain(tk) && isPlain(next) && next.Position.Line == tk.Position.Line &&
		next.Position.Column == tk.Position.Column+utf8.RuneCountInString(tk.Value)
}

func isPlain(tk *token.Token) bool {
	switch tk.Type {
	case token.MappingValueType:
		return true
	case token.SingleQuoteType, token.DoubleQuoteType:
		return false
	}
	return tk.CharacterType == token.CharacterTypeMiscellaneous && tk.Indicator == token.NotIndicator
}
