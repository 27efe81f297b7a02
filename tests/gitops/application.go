package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// manager is the field manager of Argo CD's server-side apply.
const manager = "argocd-controller"

// trackingID is the annotation by which Argo CD knows what belongs to an application.
const trackingID = "argocd.argoproj.io/tracking-id"

// pause is how long a sync waits between two steps; Argo CD takes two seconds.
const pause = 200 * time.Millisecond

// application is a set of manifests in a namespace.
type application struct {
	namespace  string
	serverSide bool
	prune      bool
	timeout    time.Duration
}

// cluster is the live side: a cache of all objects, as Argo CD keeps one.
type cluster struct {
	config  *rest.Config
	kubectl *kube.KubectlCmd
	cache   cache.ClusterCache
}

func connect() (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 500, 1000 // a cache of all kinds asks a lot at once
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	live := cache.NewClusterCache(config, cache.SetLogr(logr.Discard()), cache.SetKubectl(kubectl),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (any, bool) {
			id := object.GetAnnotations()[trackingID]
			return id, id != ""
		}))
	if err := live.EnsureSynced(); err != nil {
		return nil, err
	}
	return &cluster{config, kubectl, live}, nil
}

func (app *application) id() string { return "certferry:" + app.namespace }

func (app *application) owns(resource *cache.Resource) bool { return resource.Info == app.id() }

// manifests reads the desired objects, and marks them as Argo CD does.
func (app *application) manifests(live *cluster, files []string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := kube.SplitYAML(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	for _, object := range all {
		namespaced, err := live.cache.IsNamespaced(object.GroupVersionKind().GroupKind())
		if err != nil {
			return nil, err
		}
		if namespaced && object.GetNamespace() == "" {
			object.SetNamespace(app.namespace)
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[trackingID] = app.id()
		object.SetAnnotations(annotations)
	}
	return all, nil
}

// outcome is what became of one object, in the order in which Argo CD took them on.
type outcome struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Phase   string `json:"phase"`
	Message string `json:"message"`
}

func (app *application) sync(script string, files []string) error {
	overrides, err := scripts(script)
	if err != nil {
		return err
	}
	live, err := connect()
	if err != nil {
		return err
	}
	desired, err := app.manifests(live, files)
	if err != nil {
		return err
	}
	results, err := app.synced(live, desired, overrides)
	if err != nil {
		return err
	}
	sort.SliceStable(results, func(a, b int) bool { return results[a].Order < results[b].Order })
	outcomes := make([]outcome, 0, len(results))
	for _, it := range results {
		outcomes = append(outcomes, outcome{it.ResourceKey.Kind, it.ResourceKey.Name, string(it.Status), string(it.HookPhase), it.Message})
	}
	return json.NewEncoder(os.Stdout).Encode(outcomes)
}

// synced takes one step after the other, each from the live state as it is then, until the operation is completed or its
// time is over.
func (app *application) synced(live *cluster, desired []*unstructured.Unstructured, overrides health.HealthOverride) ([]common.ResourceSyncResult, error) {
	phase, message, results, started := common.OperationRunning, "", []common.ResourceSyncResult(nil), metav1.Now()
	for !phase.Completed() && time.Since(started.Time) < app.timeout {
		managed, err := live.cache.GetManagedLiveObjs(desired, app.owns)
		if err != nil {
			return nil, err
		}
		operation, cleanup, err := sync.NewSyncContext(
			"HEAD", sync.Reconcile(desired, managed, app.namespace, live.cache), live.config, live.config, live.kubectl, app.namespace,
			sync.WithLogr(logr.Discard()), sync.WithOperationSettings(false, app.prune, false, false), sync.WithHealthOverride(overrides),
			sync.WithServerSideApply(app.serverSide), sync.WithServerSideApplyManager(manager),
			sync.WithInitialState(phase, message, results, started))
		if err != nil {
			return nil, err
		}
		operation.Sync()
		phase, message, results = operation.GetState()
		cleanup()
		time.Sleep(pause)
	}
	if phase == common.OperationError {
		return nil, errors.New(message)
	}
	if !phase.Completed() {
		return nil, fmt.Errorf("still at work after %s: %s", app.timeout, message)
	}
	return results, nil
}

// difference is what one way to compare finds between a manifest and the live object.
type difference struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Way       string `json:"way"`
	Predicted string `json:"predicted"`
	Live      string `json:"live"`
}

func (app *application) diff(files []string) error {
	live, err := connect()
	if err != nil {
		return err
	}
	desired, err := app.manifests(live, files)
	if err != nil {
		return err
	}
	managed, err := live.cache.GetManagedLiveObjs(desired, app.owns)
	if err != nil {
		return err
	}
	applier, cleanup, err := live.kubectl.ManageServerSideDiffDryRuns(live.config)
	if err != nil {
		return err
	}
	defer cleanup()

	common := []diff.Option{diff.WithLogr(logr.Discard()), diff.WithManager(manager), diff.WithGVKParser(live.cache.GetGVKParser())}
	ways := []struct {
		name    string
		options []diff.Option
	}{
		{"legacy", common},
		{"structured merge", append(common[:len(common):len(common)], diff.WithStructuredMergeDiff(true))},
		{"server-side", append(common[:len(common):len(common)], diff.WithServerSideDiff(true),
			diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)))},
	}
	differences := []difference{}
	for _, object := range desired {
		held := managed[kube.GetResourceKey(object)]
		for _, way := range ways {
			found, err := diff.Diff(object, held, way.options...)
			if err != nil {
				return fmt.Errorf("%s %s, %s: %w", object.GetKind(), object.GetName(), way.name, err)
			}
			if found.Modified {
				differences = append(differences, difference{object.GetKind(), object.GetName(), way.name,
					string(found.PredictedLive), string(found.NormalizedLive)})
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(differences)
}
