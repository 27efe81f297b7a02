// Command control-plane is a Kubernetes control plane in one program, for tests and the demo: one subcommand per
// process, chosen by the first argument or by the name it was called by.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the servers' own clients
	_ "k8s.io/component-base/metrics/prometheus/version"  // metric kubernetes_build_info
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// exitWithStdin names the environment variable that ties a server to its parent: when it is 1, the end of standard
// input ends the server. A parent that holds the write end of that pipe takes its servers along however it dies.
const exitWithStdin = "CERTFERRY_EXIT_WITH_STDIN"

func main() {
	os.Exit(run())
}

func run() int {
	name := filepath.Base(os.Args[0])
	if !known(name) {
		if len(os.Args) < 2 || !known(os.Args[1]) {
			fmt.Fprintf(os.Stderr, "usage: %s etcd|kube-apiserver|kube-controller-manager|kubectl [argument ...]\n", name)
			return 2
		}
		// Each command parses os.Args by itself and expects its own name first.
		os.Args = os.Args[1:]
		name = os.Args[0]
	}

	if name != "kubectl" && os.Getenv(exitWithStdin) == "1" {
		go terminateAtEndOf(os.Stdin)
	}

	// Only the command asked for is built: two of them in one process collide on the global feature gates.
	switch name {
	case "kube-apiserver":
		return cli.Run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		return cli.Run(controllermanager.NewControllerManagerCommand())
	case "kubectl":
		return runKubectl()
	default:
		return runEtcd(os.Args[1:])
	}
}

func known(name string) bool {
	switch name {
	case "etcd", "kube-apiserver", "kube-controller-manager", "kubectl":
		return true
	}
	return false
}

// terminateAtEndOf kills the process, without a graceful shutdown, when input ends: nobody is left to wait for one,
// and an API server whose etcd has gone would hang in it.
func terminateAtEndOf(input io.Reader) {
	_, _ = io.Copy(io.Discard, input) // a read error means the same as the end: the parent is out of reach
	os.Exit(0)
}

// runKubectl reports a failed command as kubectl itself does; cli.Run would print the error as a server's log line.
func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints, and exits with the code that belongs to the error
	}
	return 0
}

func runEtcd(args []string) int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dataDir := flags.String("data-dir", "", "folder of the data")
	clientURL := flags.String("listen-client-urls", "http://127.0.0.1:2379", "URL to serve clients on")
	peerURL := flags.String("listen-peer-urls", "http://127.0.0.1:2380", "URL to serve peers on")
	_ = flags.Parse(args) // ExitOnError: it does not return an error

	if err := serveEtcd(*dataDir, *clientURL, *peerURL); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	}
	return 0
}

// serveEtcd runs a cluster of one until SIGTERM or SIGINT.
func serveEtcd(dataDir, clientURL, peerURL string) error {
	client, err := url.Parse(clientURL)
	if err != nil {
		return err
	}
	peer, err := url.Parse(peerURL)
	if err != nil {
		return err
	}

	config := embed.NewConfig()
	config.Dir = dataDir
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true                          // the data dies with the test
	config.WatchProgressNotifyInterval = 5 * time.Second // kube-apiserver's watch cache relies on it

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()

	select {
	case err := <-server.Err():
		return err
	case <-stop:
		return nil
	}
}
