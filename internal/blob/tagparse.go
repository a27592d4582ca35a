package blob

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const containerName = "@container"

// reservedWords are those of the language of expressions, in lower case. They name a tag in quotes
// only.
var reservedWords = []string{
	"and", "or", "not", "like", "between", "in", "is", "null", "escape", "true", "false", "year", "month", "day", "hour", "minute", "second",
}

// maxQuoted bounds how much of an expression a refusal repeats, in bytes.
const maxQuoted = 64

// TagSyntaxError is why a text is no expression over tags.
type TagSyntaxError struct {
	Position   int    // of the character that can't stand there, from 1
	Unexpected string // what stands there; "" for the end
	Reason     string
}

// Error returns the refusal in the words of the service, with the reason behind.
func (e *TagSyntaxError) Error() string { return e.Message() + " (" + e.Reason + ")" }

// Message returns the refusal in the words of the service.
func (e *TagSyntaxError) Message() string {
	unexpected := "end of the expression"
	if e.Unexpected != "" {
		unexpected = "'" + e.Unexpected + "'"
	}
	return fmt.Sprintf("Error parsing query at or near character position %d: unexpected %s", e.Position, unexpected)
}

// tagParser reads expressions over tags by recursive descent. The first error stays in err, and
// from then on every token is the end.
type tagParser struct {
	scan      tagScanner
	token     tagToken
	where     bool // the form of Find Blobs by Tags
	within    bool // that of the search of one container
	operators int
	names     []string // of tags, each once
	err       *TagSyntaxError
}

func (p *tagParser) next() {
	if p.err == nil {
		p.token, p.err = p.scan.next()
	}
	if p.err != nil {
		p.token = tagToken{}
	}
}

// fail refuses the token that is next.
func (p *tagParser) fail(reason string) { p.failAt(p.token, reason) }

func (p *tagParser) failAt(t tagToken, reason string) {
	if p.err == nil {
		p.err = p.scan.unexpected(t.at, t.end, reason)
	}
	p.token = tagToken{}
}

func (p *tagParser) expectEnd() {
	if p.token.kind != tagEnd {
		p.fail("AND or the end of the expression is expected")
	}
}

// operator consumes a keyword if it is next, and counts it.
func (p *tagParser) operator(keyword string) bool {
	if p.token.kind != tagWord || !strings.EqualFold(p.token.text, keyword) {
		return false
	}
	if p.operators++; p.operators > maxTagOperators {
		p.fail(fmt.Sprintf("there are more than %d logical operators", maxTagOperators))
	}
	p.next()
	return true
}

func (p *tagParser) any(depth int) tagNode {
	n := p.all(depth)
	for p.operator("OR") {
		n = tagOr{n, p.all(depth)}
	}
	return n
}

func (p *tagParser) all(depth int) tagNode {
	n := p.term(depth)
	for p.operator("AND") {
		n = tagAnd{n, p.term(depth)}
	}
	return n
}

func (p *tagParser) term(depth int) tagNode {
	if p.token.kind != tagSign || p.token.text != "(" {
		return p.comparison()
	}
	if depth == maxTagNesting {
		p.fail(fmt.Sprintf("parentheses are nested deeper than %d", maxTagNesting))
		return tagComparison{}
	}
	p.next()
	n := p.any(depth + 1)
	if p.token.kind != tagSign || p.token.text != ")" {
		p.fail("a closing parenthesis is expected")
	}
	p.next()
	return n
}

func (p *tagParser) comparison() (c tagComparison) {
	c.key = p.name()
	p.next()
	switch c.operator = p.token.text; {
	case p.token.kind != tagSign || strings.Contains("()", c.operator):
		p.fail("an operator is expected")
	case p.where && (c.operator == "<>" || c.key == containerName && c.operator != "="):
		p.fail("another operator is expected")
	}
	p.next()
	if p.token.kind != tagValue {
		p.fail("a value in single quotes is expected")
	}
	if c.value = p.token.text; c.key != containerName && (len(c.value) > MaxTagValue || !tagText(c.value)) {
		p.fail("no tag can have this value")
	}
	p.next()
	return c
}

// name returns the name that is next, of a tag or, where a search may have it, of the container.
func (p *tagParser) name() string {
	name := p.token.text
	switch {
	case p.token.kind == tagWord && p.where && name == containerName:
		if p.within {
			p.fail("the search is in one container already")
		}
		return name
	case p.token.kind != tagQuoted && p.token.kind != tagWord || name == "" || len(name) > MaxTagKey || !tagText(name):
		p.fail("the name of a tag is expected")
	case p.token.kind == tagWord && slices.Contains(reservedWords, strings.ToLower(name)):
		p.fail("a word of the language names a tag in double quotes only")
	case !slices.Contains(p.names, name):
		if p.names = append(p.names, name); len(p.names) > MaxTags {
			p.fail(fmt.Sprintf("there are more than %d tags", MaxTags))
		}
	}
	return name
}

type tagKind uint8

const (
	tagEnd    tagKind = iota
	tagWord           // letters, digits and underscores, perhaps after @; never empty
	tagQuoted         // in double quotes
	tagValue          // in single quotes
	tagSign           // an operator or a parenthesis
)

type tagToken struct {
	kind tagKind
	text string // without quotes
	at   int    // offset of its first byte
	end  int    // offset behind its last one
}

type tagScanner struct {
	text string
	at   int
}

// next returns the next token. The error says what can't begin or does not end.
func (s *tagScanner) next() (tagToken, *TagSyntaxError) {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
	at := s.at
	if at == len(s.text) {
		return tagToken{at: at, end: at}, nil
	}
	rest := s.text[at:]
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		return s.quoted(c)
	case strings.IndexByte("=()", c) >= 0:
		return s.take(tagSign, 1), nil
	case c == '<' || c == '>':
		if len(rest) > 1 && (rest[1] == '=' || c == '<' && rest[1] == '>') {
			return s.take(tagSign, 2), nil
		}
		return s.take(tagSign, 1), nil
	case c == '@' || wordByte(c) && (c < '0' || c > '9'):
		n := 1
		for n < len(rest) && wordByte(rest[n]) {
			n++
		}
		return s.take(tagWord, n), nil
	}
	_, n := utf8.DecodeRuneInString(rest)
	return tagToken{}, s.unexpected(at, at+n, "nothing begins so")
}

// unexpected returns the error for a part of the text that can't stand where it does.
func (s *tagScanner) unexpected(at, end int, reason string) *TagSyntaxError {
	return &TagSyntaxError{
		Position: utf8.RuneCountInString(s.text[:at]) + 1, Reason: reason,
		Unexpected: strings.ToValidUTF8(s.text[at:min(end, at+maxQuoted)], ""),
	}
}

func (s *tagScanner) take(kind tagKind, n int) tagToken {
	t := tagToken{kind, s.text[s.at : s.at+n], s.at, s.at + n}
	s.at += n
	return t
}

// quoted reads up to the closing quote; a doubled one stands for itself within single quotes.
func (s *tagScanner) quoted(quote byte) (tagToken, *TagSyntaxError) {
	t := tagToken{kind: tagQuoted, at: s.at}
	s.at++
	var b strings.Builder
	for {
		n := strings.IndexByte(s.text[s.at:], quote)
		if n < 0 {
			return tagToken{}, s.unexpected(t.at, len(s.text), "the quote is not closed")
		}
		b.WriteString(s.text[s.at : s.at+n])
		s.at += n + 1
		if quote == '"' || s.at == len(s.text) || s.text[s.at] != quote {
			break
		}
		b.WriteByte(quote)
		s.at++
	}
	if quote == '\'' {
		t.kind = tagValue
	}
	t.text, t.end = b.String(), s.at
	return t, nil
}

func wordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
