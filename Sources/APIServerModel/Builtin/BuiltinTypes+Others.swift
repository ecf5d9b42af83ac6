extension BuiltinTypes {
    static let otherText = """
        # io.k8s.api.discovery.v1
        EndpointConditions
          ready bool
          serving bool
          terminating bool
        Endpoint
          addresses! []string @set
          conditions EndpointConditions ={}
          hostname string
          targetRef ObjectReference
          deprecatedTopology {}string
          nodeName string
          zone string
          hints any
        EndpointPort atomic
          name string =""
          protocol string ="TCP" (SCTP|TCP|UDP)
          port int 0..65535
          appProtocol string
        EndpointSlice -- EndpointSlice represents a set of service endpoints.
          addressType! string (FQDN|IPv4|IPv6)
          endpoints []Endpoint
          ports []EndpointPort

        # io.k8s.api.events.v1
        EventSeries
          count! int
          lastObservedTime! microtime
        NewEvent -- Event is a report of an event somewhere in the cluster.
          eventTime microtime
          series EventSeries
          reportingController string
          reportingInstance string
          action string
          reason string
          regarding ObjectReference ={}
          related ObjectReference
          note string
          type string
          deprecatedSource any
          deprecatedFirstTimestamp time
          deprecatedLastTimestamp time
          deprecatedCount int

        # io.k8s.api.coordination.v1
        LeaseSpec
          holderIdentity string
          leaseDurationSeconds int
          acquireTime microtime
          renewTime microtime
          leaseTransitions int
          strategy string
          preferredHolder string
        Lease -- Lease defines a lease concept.
          spec LeaseSpec ={}

        # io.k8s.api.rbac.v1
        PolicyRule
          verbs! []string
          apiGroups []string
          resources []string
          resourceNames []string
          nonResourceURLs []string
        AggregationRule
          clusterRoleSelectors []LabelSelector
        Role -- Role is a namespaced, logical grouping of PolicyRules.
          rules []PolicyRule
        ClusterRole -- ClusterRole is a cluster level, logical grouping of PolicyRules.
          rules []PolicyRule
          aggregationRule AggregationRule
        RoleRef atomic
          apiGroup string ="rbac.authorization.k8s.io"
          kind! string
          name! string
        Subject atomic
          kind! string
          apiGroup string
          name! string
          namespace string
        RoleBinding -- RoleBinding references a role, but does not contain it.
          subjects []Subject
          roleRef! RoleRef
        ClusterRoleBinding -- ClusterRoleBinding references a ClusterRole, but does not contain it.
          subjects []Subject
          roleRef! RoleRef

        # io.k8s.api.networking.v1
        NetworkPolicyPort
          protocol string ="TCP"
          port intstr
          endPort int
        IPBlock
          cidr! string
          except []string
        NetworkPolicyPeer
          podSelector LabelSelector
          namespaceSelector LabelSelector
          ipBlock IPBlock
        NetworkPolicyIngressRule
          ports []NetworkPolicyPort
          from []NetworkPolicyPeer
        NetworkPolicyEgressRule
          ports []NetworkPolicyPort
          to []NetworkPolicyPeer
        NetworkPolicySpec
          podSelector LabelSelector ={}
          ingress []NetworkPolicyIngressRule
          egress []NetworkPolicyEgressRule
          policyTypes []string
        NetworkPolicy -- NetworkPolicy describes what network traffic is allowed for a set of Pods
          spec NetworkPolicySpec ={}

        # io.k8s.api.authentication.v1
        UserInfo
          username string
          uid string
          groups []string
          extra any
        TokenReviewSpec
          token string
          audiences []string
        TokenReviewStatus
          authenticated bool
          user UserInfo
          audiences []string
          error string
        TokenReview -- TokenReview attempts to authenticate a token to a known user.
          spec TokenReviewSpec ={}
          status TokenReviewStatus
        BoundObjectReference
          kind string
          apiVersion string
          name string
          uid string
        TokenRequestSpec
          audiences []string
          expirationSeconds long =3600
          boundObjectRef BoundObjectReference
        TokenRequestStatus
          token string
          expirationTimestamp time
        TokenRequest -- TokenRequest requests a token for a given service account.
          spec TokenRequestSpec ={}
          status TokenRequestStatus
        SelfSubjectReviewStatus
          userInfo UserInfo
        SelfSubjectReview -- SelfSubjectReview contains the user information that the server has about the user.
          status SelfSubjectReviewStatus

        # io.k8s.api.authorization.v1
        ResourceAttributes open
          namespace string
          verb string
          group string
          version string
          resource string
          subresource string
          name string
        NonResourceAttributes
          path string
          verb string
        AccessReviewSpec
          resourceAttributes ResourceAttributes
          nonResourceAttributes NonResourceAttributes
          user string
          groups []string
          uid string
          extra any
        AccessReviewStatus
          allowed bool
          denied bool
          reason string
          evaluationError string
        SelfSubjectAccessReview -- SelfSubjectAccessReview checks whether the current user can perform an action.
          spec AccessReviewSpec
          status AccessReviewStatus
        SubjectAccessReview -- SubjectAccessReview checks whether or not a user or group can perform an action.
          spec AccessReviewSpec
          status AccessReviewStatus
        RulesReviewSpec
          namespace string
        SelfSubjectRulesReview -- SelfSubjectRulesReview enumerates the actions the current user can perform.
          spec RulesReviewSpec
          status any

        # io.k8s.api.policy.v1
        Eviction -- Eviction evicts a pod from its node subject to certain policies and safety constraints.
          deleteOptions any

        # io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1
        CustomResourceDefinitionNames
          plural! string
          singular string
          shortNames []string
          kind! string
          listKind string
          categories []string
        CustomResourceSubresourceScale
          specReplicasPath! string
          statusReplicasPath! string
          labelSelectorPath string
        CustomResourceSubresources
          status any
          scale CustomResourceSubresourceScale
        CustomResourceColumnDefinition
          name! string
          type! string (boolean|date|integer|number|string)
          format string
          description string
          priority int
          jsonPath! string
        CustomResourceValidation
          openAPIV3Schema any
        SelectableField
          jsonPath! string
        CustomResourceDefinitionVersion
          name! string
          served bool =false
          storage bool =false
          deprecated bool
          deprecationWarning string
          schema CustomResourceValidation
          subresources CustomResourceSubresources
          additionalPrinterColumns []CustomResourceColumnDefinition
          selectableFields []SelectableField
        CustomResourceConversion
          strategy! string (None|Webhook)
          webhook any
        CustomResourceDefinitionSpec
          group! string
          names! CustomResourceDefinitionNames
          scope! string (Cluster|Namespaced)
          versions! []CustomResourceDefinitionVersion
          conversion CustomResourceConversion ={"strategy":"None"}
          preserveUnknownFields bool
        CustomResourceDefinitionStatus
          conditions []LegacyCondition @type
          acceptedNames CustomResourceDefinitionNames
          storedVersions []string
        CustomResourceDefinition -- CustomResourceDefinition represents a resource that should be exposed on the API server.
          spec! CustomResourceDefinitionSpec
          status CustomResourceDefinitionStatus
        """
}
