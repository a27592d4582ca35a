// Package wire holds the HTTP mechanism that all operations share. It parses what a URL names,
// finds the row of a table that a request belongs to, decodes headers, parameters and bodies into
// argument structs, and writes result structs and failures as answers. It knows no operation.
//
// A request goes through [NewRequest], [Table.Match], [Args.Decode] and [Results.Write]; a failure
// on the way goes through [WriteError].
package wire
