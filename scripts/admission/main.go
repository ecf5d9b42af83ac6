// Says what an API server with the policies of some files would answer to requests, by the server's own plug-in.
//
//	admission POLICY.yaml … <requests >answers
//
// A request and an answer is a line of JSON each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	yamlv3 "sigs.k8s.io/yaml"
)

// A request about the scale of a Deployment.
type request struct {
	User      string              `json:"user"`
	Groups    []string            `json:"groups"`
	Namespace string              `json:"namespace"`
	Name      string              `json:"name"`
	Object    autoscalingv1.Scale `json:"object"`
	OldObject autoscalingv1.Scale `json:"oldObject"`
}

type answer struct {
	Allowed bool   `json:"allowed"`
	Message string `json:"message,omitempty"`
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, files []string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	objects, err := read(files)
	if err != nil {
		return err
	}
	plugin, err := start(ctx, objects)
	if err != nil {
		return err
	}
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		if err := answers.Encode(review(ctx, plugin, asked)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Fields that the server does not know are errors, as they are to kubectl.
func read(files []string) ([]runtime.Object, error) {
	var objects []runtime.Object
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		documents := yaml.NewYAMLReader(bufio.NewReader(file))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			object, err := decode(document)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// With the defaults that the server writes into what it stores.
func decode(document []byte) (runtime.Object, error) {
	var kind metav1.TypeMeta
	if err := yamlv3.Unmarshal(document, &kind); err != nil {
		return nil, err
	}
	if kind.APIVersion != "admissionregistration.k8s.io/v1" {
		return nil, fmt.Errorf("%s is of another version", kind.APIVersion)
	}
	switch kind.Kind {
	case "ValidatingAdmissionPolicy":
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		if err := yamlv3.UnmarshalStrict(document, policy); err != nil {
			return nil, err
		}
		complete(policy.Spec.MatchConstraints)
		return policy, nil
	case "ValidatingAdmissionPolicyBinding":
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		if err := yamlv3.UnmarshalStrict(document, binding); err != nil {
			return nil, err
		}
		complete(binding.Spec.MatchResources)
		return binding, nil
	}
	return nil, fmt.Errorf("a %s is no policy", kind.Kind)
}

func complete(match *admissionregistrationv1.MatchResources) {
	if match == nil {
		return
	}
	if match.MatchPolicy == nil {
		equivalent := admissionregistrationv1.Equivalent
		match.MatchPolicy = &equivalent
	}
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
}

type nobody struct{}

func (nobody) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionNoOpinion, "", nil
}

func start(ctx context.Context, objects []runtime.Object) (*validating.Plugin, error) {
	for _, name := range []string{"ml", "assay-system"} {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	client := fake.NewSimpleClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	plugin, err := validating.NewPlugin(nil)
	if err != nil {
		return nil, err
	}
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(factory)
	plugin.SetRESTMapper(meta.NewDefaultRESTMapper(nil))
	plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(runtime.NewScheme()))
	plugin.SetDrainedNotification(ctx.Done())
	plugin.SetAuthorizer(nobody{})
	if err := plugin.ValidateInitialization(); err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if !plugin.WaitForReady() {
		return nil, errors.New("the policies were not taken")
	}
	return plugin, nil
}

func review(ctx context.Context, plugin *validating.Plugin, asked request) answer {
	for _, scale := range []*autoscalingv1.Scale{&asked.Object, &asked.OldObject} {
		scale.Namespace, scale.Name = asked.Namespace, asked.Name
	}
	attributes := admission.NewAttributesRecord(
		&asked.Object, &asked.OldObject, schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"},
		asked.Namespace, asked.Name,
		schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "scale",
		admission.Update, &metav1.PatchOptions{}, false, &user.DefaultInfo{Name: asked.User, Groups: asked.Groups})
	if err := plugin.Validate(ctx, attributes, admission.NewObjectInterfacesFromScheme(scheme.Scheme)); err != nil {
		return answer{Message: err.Error()}
	}
	return answer{Allowed: true}
}
