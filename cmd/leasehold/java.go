package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// javaOptions names the variable whose options every Java virtual machine applies.
const javaOptions = "JAVA_TOOL_OPTIONS"

// javaWord matches one option of the variable. White space separates options unless it is quoted.
var javaWord = regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+`)

// withProperties appends system properties to the options of a virtual machine, replacing
// properties of the same names.
func withProperties(options string, properties map[string]string) string {
	var words []string
	for _, word := range javaWord.FindAllString(options, -1) {
		name, _, _ := strings.Cut(strings.Trim(word, `"'`), "=")
		if name, ok := strings.CutPrefix(name, "-D"); !ok || properties[name] == "" {
			words = append(words, word)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		words = append(words, quoteJava("-D"+name+"="+properties[name]))
	}
	return strings.Join(words, " ")
}

// quoteJava quotes an option for the variable. An option with quotes of both kinds can't be
// expressed.
func quoteJava(word string) string {
	switch {
	case !strings.ContainsAny(word, " \t\n\"'"):
		return word
	case strings.Contains(word, `"`):
		return "'" + word + "'"
	}
	return `"` + word + `"`
}
