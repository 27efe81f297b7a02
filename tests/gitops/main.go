// Command gitops is what Argo CD and Flux do, by their own libraries: the sync, diff, health and Lua of Argo CD, and
// kstatus. The cluster is that of KUBECONFIG; manifests come in files, answers go to standard output as JSON.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const usage = `usage:
  gitops judge SCRIPT                      health and kstatus of each object of a JSON list on standard input
  gitops act SCRIPT                        the object on standard input as an action leaves it
  gitops sync [flags] SCRIPT FILE...       applies the manifests as an Argo CD application does
  gitops diff [flags] FILE...              what differs, in each of Argo CD's ways to compare`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	var app application
	flags.StringVar(&app.namespace, "namespace", "default", "where manifests without a namespace go")
	flags.BoolVar(&app.serverSide, "server-side", false, "the sync option ServerSideApply=true")
	flags.BoolVar(&app.prune, "prune", false, "delete what the manifests do not name any more")
	flags.DurationVar(&app.timeout, "timeout", 2*time.Minute, "how long a sync may take")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	script, files := flags.Arg(0), flags.Args()
	if len(files) > 0 {
		files = files[1:]
	}
	switch args[0] {
	case "judge":
		return judge(script)
	case "act":
		return act(script)
	case "sync":
		return app.sync(script, files)
	case "diff":
		return app.diff(flags.Args())
	}
	return errors.New(usage)
}

// kinds are those of the group.
var kinds = []string{
	"ApiManagementCertificate", "CloudAccount", "ClusterCloudAccount", "IotHubCertificate", "IotdaCertificate",
	"KeyVaultCertificate",
}

// scripts is what argocd-cm.yaml has: the same script for each kind.
func scripts(path string) (lua.ResourceHealthOverrides, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	overrides := lua.ResourceHealthOverrides{}
	for _, kind := range kinds {
		overrides["certferry.dev/"+kind] = appv1.ResourceOverride{HealthLua: string(text)}
	}
	return overrides, nil
}

type verdict struct {
	Status  health.HealthStatusCode `json:"status"`
	Message string                  `json:"message"`
	Kstatus status.Status           `json:"kstatus"`
}

func judge(script string) error {
	overrides, err := scripts(script)
	if err != nil {
		return err
	}
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(objects))
	for _, object := range objects {
		// As a client reads it: whole numbers are int64.
		read, err := typed(object)
		if err != nil {
			return err
		}
		shown, err := health.GetResourceHealth(read, overrides)
		if err != nil {
			return err
		}
		if shown == nil {
			return fmt.Errorf("%s has no health", read.GetKind())
		}
		computed, err := status.Compute(read)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, verdict{shown.Status, shown.Message, computed.Status})
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func act(script string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&object); err != nil {
		return err
	}
	read, err := typed(object)
	if err != nil {
		return err
	}
	impacted, err := lua.VM{}.ExecuteResourceAction(read, string(text), nil)
	if err != nil {
		return err
	}
	if len(impacted) != 1 || impacted[0].K8SOperation != lua.PatchOperation {
		return errors.New("the action is no patch of its object alone")
	}
	return json.NewEncoder(os.Stdout).Encode(impacted[0].UnstructuredObj.Object)
}

func typed(object map[string]any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	read := &unstructured.Unstructured{}
	return read, read.UnmarshalJSON(text)
}
