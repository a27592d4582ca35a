// Package wire is the mechanism of HTTP that the operations share: what a URL names, which row of a table a request belongs
// to, how headers, parameters and bodies become argument structs and result structs become answers, and how a failure looks.
// It knows no operation.
//
// A request goes through [NewRequest], [Table.Match], [Args.Decode] and [Results.Write]; what fails on the way goes through
// [WriteError].
package wire
