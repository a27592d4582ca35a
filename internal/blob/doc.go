// Package blob holds the nouns of the Blob service other than leases, and their
// pure rules: names, times and ETags, records, conditional headers, block lists.
//
// Nothing here reads a clock, draws a random number or does input or output;
// whatever a rule needs is an argument.
package blob
