package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// javaOptions names the variable with options that every Java virtual machine takes.
const javaOptions = "JAVA_TOOL_OPTIONS"

// javaWord is one option in that variable: white space parts them unless it is quoted.
var javaWord = regexp.MustCompile(`(?:[^\s"']|"[^"]*"|'[^']*')+`)

// withProperties puts system properties behind options of the virtual machine, in the place
// of those of the same names. All other options stay.
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

// quoteJava writes an option so that the virtual machine takes it as it is. There is no way
// to write one with quotes of both kinds.
func quoteJava(word string) string {
	switch {
	case !strings.ContainsAny(word, " \t\n\"'"):
		return word
	case strings.Contains(word, `"`):
		return "'" + word + "'"
	}
	return `"` + word + `"`
}
