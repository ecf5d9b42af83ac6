// The Go peer of the benchmarks: a controller as one writes it with client-go. Shared informers over typed objects, an
// indexer, a rate limiting work queue, workers. What it prints and does is told in Benchmarks/README.md.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

var (
	kubeconfig = flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "")
	action     = flag.String("action", "none", "what a reconcile does: none, status or job")
	workers    = flag.Int("workers", 1, "")
	expect     = flag.Int64("expect", 0, "print a line after this many reconciles")
	gated      = flag.Bool("gated", false, "wait for a line on stdin between the sync and the first reconcile")
	strip      = flag.Bool("strip", false, "keep only metadata without managedFields, revision and status")
	load       = flag.Int("load", 0, "instead of a controller: create this many widgets, one by one, and print the latencies")
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err)
	// No rate limit in the client: priority and fairness on the server decide, as for the others that are measured.
	config.QPS = -1
	widgets := widgetClient(config)
	if *load > 0 {
		runLoad(widgets, *load)
		return
	}
	jobs, err := batchclient.NewForConfig(config)
	check(err)
	c := &controller{
		widgets: widgets, jobs: jobs,
		queue: workqueue.NewRateLimitingQueue(workqueue.DefaultControllerRateLimiter()),
	}
	c.run(context.Background())
}

type controller struct {
	widgets     *rest.RESTClient
	jobs        *batchclient.BatchV1Client
	queue       workqueue.RateLimitingInterface
	widgetStore cache.Indexer
	jobStore    cache.Indexer
	reconciled  int64
}

func (c *controller) enqueue(object interface{}) {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err == nil {
		c.queue.Add(key)
	}
}

func (c *controller) enqueueOwner(object interface{}) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if job, ok := object.(*batchv1.Job); ok {
		if owner := metav1.GetControllerOf(job); owner != nil {
			c.queue.Add(job.Namespace + "/" + owner.Name)
		}
	}
}

func handler(enqueue func(interface{})) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object interface{}) { enqueue(object) },
		DeleteFunc: enqueue,
	}
}

func (c *controller) run(ctx context.Context) {
	indexers := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	widgetInformer := cache.NewSharedIndexInformer(widgetListWatch(c.widgets), &Widget{}, 0, indexers)
	widgetInformer.AddEventHandler(handler(c.enqueue))
	c.widgetStore = widgetInformer.GetIndexer()
	synced := []cache.InformerSynced{widgetInformer.HasSynced}
	go widgetInformer.Run(ctx.Done())
	if *action == "job" {
		jobInformer := cache.NewSharedIndexInformer(
			cache.NewListWatchFromClient(c.jobs.RESTClient(), "jobs", metav1.NamespaceAll, nothing()),
			&batchv1.Job{}, 0, indexers)
		jobInformer.AddEventHandler(handler(c.enqueueOwner))
		c.jobStore = jobInformer.GetIndexer()
		synced = append(synced, jobInformer.HasSynced)
		go jobInformer.Run(ctx.Done())
	}
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return
	}
	fmt.Println("synced", len(c.widgetStore.ListKeys()))
	if *gated {
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
	for i := 0; i < *workers; i++ {
		go func() {
			for c.processNext(ctx) {
			}
		}()
	}
	<-ctx.Done()
}

func (c *controller) processNext(ctx context.Context) bool {
	key, quit := c.queue.Get()
	if quit {
		return false
	}
	defer c.queue.Done(key)
	worked, err := c.reconcile(ctx, key.(string))
	if err != nil {
		fmt.Fprintln(os.Stderr, key, err)
		c.queue.AddRateLimited(key)
		return true
	}
	c.queue.Forget(key)
	if worked && atomic.AddInt64(&c.reconciled, 1) == *expect {
		fmt.Println("reconciled", *expect)
	}
	return true
}

// Whether anything was done counts for the measurement: the echo of our own write does not.
func (c *controller) reconcile(ctx context.Context, key string) (bool, error) {
	stored, exists, err := c.widgetStore.GetByKey(key)
	if err != nil || !exists {
		return false, err
	}
	widget := stored.(*Widget)
	if widget.Name == "marker" {
		fmt.Println("marker", widget.Spec.Revision)
	}
	if *action == "none" {
		return true, nil
	}
	if widget.Status.ObservedGeneration == widget.Generation && widget.Status.Phase == "Done" {
		return false, nil
	}
	if *action == "job" {
		if err := c.createJob(ctx, widget); err != nil {
			return false, err
		}
	}
	patch := fmt.Sprintf(`{"status":{"phase":"Done","observedGeneration":%d}}`, widget.Generation)
	err = c.widgets.Patch(types.MergePatchType).Namespace(widget.Namespace).Resource("widgets").Name(widget.Name).
		SubResource("status").Body([]byte(patch)).Do(ctx).Error()
	return err == nil, err
}

func (c *controller) createJob(ctx context.Context, widget *Widget) error {
	if _, exists, _ := c.jobStore.GetByKey(widget.Namespace + "/" + widget.Name); exists {
		return nil
	}
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: widget.Name, Namespace: widget.Namespace,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(widget, groupVersion.WithKind("Widget"))},
		},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "registry.local/empty:1"}},
		}}},
	}
	_, err := c.jobs.Jobs(widget.Namespace).Create(ctx, job, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// runLoad creates widgets one after another; each latency is the time from before the create until a watch has told of
// the status.
func runLoad(client *rest.RESTClient, count int) {
	debug.SetGCPercent(1000)
	ctx := context.Background()
	list := &WidgetList{}
	check(client.Get().Namespace("load").Resource("widgets").Do(ctx).Into(list))
	options := metav1.ListOptions{ResourceVersion: list.ResourceVersion, Watch: true}
	events, err := client.Get().Namespace("load").Resource("widgets").VersionedParams(&options, parameterCodec).Watch(ctx)
	check(err)
	for i := 0; i < count; i++ {
		name := fmt.Sprintf("load-%d-%d", os.Getpid(), i)
		widget := &Widget{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "load"}, Spec: WidgetSpec{Revision: 1}}
		widget.APIVersion, widget.Kind = groupVersion.String(), "Widget"
		start := time.Now()
		check(client.Post().Namespace("load").Resource("widgets").Body(widget).Do(ctx).Error())
		for {
			event, open := <-events.ResultChan()
			if !open {
				check(fmt.Errorf("the watch of the load has ended"))
			}
			seen, ok := event.Object.(*Widget)
			if ok && event.Type != watch.Deleted && seen.Name == name && seen.Status.Phase == "Done" {
				break
			}
		}
		fmt.Printf("latency %.3f\n", float64(time.Since(start).Microseconds())/1000)
	}
}

func widgetClient(config *rest.Config) *rest.RESTClient {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(groupVersion, &Widget{}, &WidgetList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	copied := *config
	copied.GroupVersion = &groupVersion
	copied.APIPath = "/apis"
	copied.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(&copied)
	check(err)
	parameterCodec = runtime.NewParameterCodec(scheme)
	return client
}
