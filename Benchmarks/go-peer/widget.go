package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

var (
	groupVersion   = schema.GroupVersion{Group: "bench.assay.dev", Version: "v1"}
	parameterCodec runtime.ParameterCodec
)

// Widget is the resource that is measured, as a code generator would make it of its CRD.
type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              WidgetSpec   `json:"spec,omitempty"`
	Status            WidgetStatus `json:"status,omitempty"`
}

type WidgetSpec struct {
	Revision int64                  `json:"revision,omitempty"`
	Template corev1.PodTemplateSpec `json:"template,omitempty"`
}

type WidgetStatus struct {
	Phase              string `json:"phase,omitempty"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
}

type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Widget `json:"items"`
}

func (w *Widget) DeepCopyObject() runtime.Object {
	copied := *w
	copied.ObjectMeta = *w.ObjectMeta.DeepCopy()
	copied.Spec.Template = *w.Spec.Template.DeepCopy()
	return &copied
}

func (l *WidgetList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = make([]Widget, len(l.Items))
	for i := range l.Items {
		copied.Items[i] = *l.Items[i].DeepCopyObject().(*Widget)
	}
	return &copied
}

func nothing() fields.Selector { return fields.Everything() }

func widgetListWatch(client *rest.RESTClient) cache.ListerWatcher {
	lw := cache.NewListWatchFromClient(client, "widgets", metav1.NamespaceAll, nothing())
	if !*strip {
		return lw
	}
	return &cache.ListWatch{
		ListFunc: func(options metav1.ListOptions) (runtime.Object, error) {
			object, err := lw.List(options)
			if list, ok := object.(*WidgetList); ok {
				for i := range list.Items {
					list.Items[i].strip()
				}
			}
			return object, err
		},
		WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
			events, err := client.Get().Resource("widgets").VersionedParams(&options, parameterCodec).Watch(context.TODO())
			if err != nil {
				return nil, err
			}
			return watch.Filter(events, func(event watch.Event) (watch.Event, bool) {
				if widget, ok := event.Object.(*Widget); ok {
					widget.strip()
				}
				return event, true
			}), nil
		},
	}
}

// What a Go developer does who wants to save memory (client-go 0.20 has no transforms yet).
func (w *Widget) strip() {
	w.ManagedFields = nil
	w.Spec.Template = corev1.PodTemplateSpec{}
}
