// Azureproxy puts a local server in the place of https://*.blob.core.windows.net
// for the programs started from one shell:
//
//	go run ./test/proxy/azureproxy --to 127.0.0.1:10000 > proxy.env &
//	source proxy.env
//	az storage blob list …
//
// It prints the environment that those programs need, and runs until it is
// interrupted.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/leasehold/leasehold/test/proxy"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "azureproxy:", err)
		os.Exit(1)
	}
}

func run() error {
	to := flag.String("to", "127.0.0.1:10000", "plain HTTP address of the local server")
	listen := flag.String("listen", "", "address of the proxy (default any free port of 127.0.0.1)")
	flag.Parse()

	dir, err := os.MkdirTemp("", "azureproxy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	front, err := proxy.NewFront(proxy.FrontOptions{Listen: *listen, Plain: *to, Dir: dir})
	if err != nil {
		return err
	}
	defer front.Close()
	for _, e := range front.Env() {
		fmt.Println("export " + e)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	<-stop
	return nil
}
