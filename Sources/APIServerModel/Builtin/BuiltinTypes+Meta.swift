extension BuiltinTypes {
    /// `meta/v1`, and what many kinds share.
    static let metaText = """
        # io.k8s.apimachinery.pkg.apis.meta.v1
        OwnerReference atomic
          apiVersion! string
          kind! string
          name! string
          uid! string
          controller bool -- If true, this reference points to the managing controller.
          blockOwnerDeletion bool
        ManagedFieldsEntry
          manager string
          operation string
          apiVersion string
          time time
          fieldsType string
          fieldsV1 any
          subresource string
        ObjectMeta
          name string -- Name must be unique within a namespace.
          generateName string
          namespace string
          selfLink string
          uid string
          resourceVersion string
          generation long
          creationTimestamp time
          deletionTimestamp time
          deletionGracePeriodSeconds long
          labels {}string -- Map of string keys and values that can be used to organize and categorize objects.
          annotations {}string
          ownerReferences []OwnerReference @uid ~uid
          finalizers []string @set ~
          managedFields []ManagedFieldsEntry
        LabelSelectorRequirement
          key! string
          operator! string (In|NotIn|Exists|DoesNotExist)
          values []string
        LabelSelector atomic
          matchLabels {}string
          matchExpressions []LabelSelectorRequirement
        Condition
          type! string
          status! string (True|False|Unknown)
          observedGeneration long
          lastTransitionTime time
          reason string
          message string
        """

    static let coreText = """
        # io.k8s.api.core.v1
        LocalObjectReference atomic
          name string =""
        ObjectReference atomic
          apiVersion string
          kind string
          namespace string
          name string
          uid string
          resourceVersion string
          fieldPath string
        ConfigMapKeySelector atomic
          name string =""
          key! string
          optional bool
        SecretKeySelector atomic
          name string =""
          key! string
          optional bool
        ObjectFieldSelector atomic
          apiVersion string ="v1"
          fieldPath! string
        ResourceFieldSelector atomic
          containerName string
          resource! string
          divisor quantity ="0"
        FileKeySelector atomic
          volumeName! string
          path! string
          key! string
          optional bool
        ResourceClaim
          name! string
          request string
        ResourceRequirements
          limits {}quantity
          requests {}quantity
          claims []ResourceClaim @name
        VolumeResourceRequirements
          limits {}quantity
          requests {}quantity
        TypedLocalObjectReference atomic
          apiGroup string
          kind! string
          name! string
        TypedObjectReference
          apiGroup string
          kind! string
          name! string
          namespace string
        KeyToPath
          key! string
          path! string
          mode int 0..511
        NodeSelectorRequirement
          key! string
          operator! string (DoesNotExist|Exists|Gt|In|Lt|NotIn)
          values []string
        NodeSelectorTerm atomic
          matchExpressions []NodeSelectorRequirement
          matchFields []NodeSelectorRequirement
        NodeSelector atomic
          nodeSelectorTerms! []NodeSelectorTerm
        Toleration
          key string
          operator string (Equal|Exists)
          value string
          effect string (NoExecute|NoSchedule|PreferNoSchedule)
          tolerationSeconds long
        Taint
          key! string
          value string
          effect! string (NoExecute|NoSchedule|PreferNoSchedule)
          timeAdded time
        LegacyCondition
          type! string
          status! string
          observedGeneration long
          lastTransitionTime time
          lastUpdateTime time
          lastProbeTime time
          lastHeartbeatTime time
          reason string
          message string

        NamespaceSpec
          finalizers []string
        NamespaceStatus
          phase string
          conditions []LegacyCondition @type ~type
        Namespace -- Namespace provides a scope for Names.
          spec NamespaceSpec ={}
          status NamespaceStatus ={}

        NodeSpec
          podCIDR string
          podCIDRs []string @set ~
          providerID string
          unschedulable bool
          taints []Taint
          configSource any
          externalID string
        NodeAddress
          type! string
          address! string
        ContainerImage
          names []string
          sizeBytes long
        DaemonEndpoint
          Port! int
        NodeDaemonEndpoints
          kubeletEndpoint DaemonEndpoint
        NodeSystemInfo
          machineID string
          systemUUID string
          bootID string
          kernelVersion string
          osImage string
          containerRuntimeVersion string
          kubeletVersion string
          kubeProxyVersion string
          operatingSystem string
          architecture string
          swap any
        NodeStatus
          capacity {}quantity
          allocatable {}quantity
          phase string
          conditions []LegacyCondition @type ~type
          addresses []NodeAddress @type ~type
          daemonEndpoints NodeDaemonEndpoints
          nodeInfo NodeSystemInfo
          images []ContainerImage
          volumesInUse []string
          volumesAttached []any
          config any
          features any
          runtimeHandlers []any
        Node -- Node is a worker node in Kubernetes.
          spec NodeSpec ={}
          status NodeStatus ={}

        ConfigMap -- ConfigMap holds configuration data for pods to consume.
          data {}string
          binaryData {}bytes
          immutable bool
        Secret -- Secret holds secret data of a certain type.
          data {}bytes
          stringData {}string
          type string ="Opaque"
          immutable bool
        ServiceAccount -- ServiceAccount binds together a name and a principal that can be authenticated and authorized.
          secrets []ObjectReference @name ~name
          imagePullSecrets []LocalObjectReference
          automountServiceAccountToken bool

        ServicePort
          name string
          protocol string ="TCP" (SCTP|TCP|UDP)
          appProtocol string
          port! int 1..65535
          targetPort intstr
          nodePort int 0..65535
        ClientIPConfig
          timeoutSeconds int
        SessionAffinityConfig
          clientIP ClientIPConfig
        PortStatus
          port! int
          protocol! string
          error string
        LoadBalancerIngress
          ip string
          ipMode string
          hostname string
          ports []PortStatus
        LoadBalancerStatus
          ingress []LoadBalancerIngress
        ServiceSpec
          ports []ServicePort @port,protocol ~port
          selector {}string atomic
          clusterIP string
          clusterIPs []string
          type string ="ClusterIP" (ClusterIP|ExternalName|LoadBalancer|NodePort)
          externalIPs []string
          sessionAffinity string ="None" (ClientIP|None)
          sessionAffinityConfig SessionAffinityConfig
          loadBalancerIP string
          loadBalancerSourceRanges []string
          loadBalancerClass string
          externalName string
          externalTrafficPolicy string (Cluster|Local)
          healthCheckNodePort int
          publishNotReadyAddresses bool
          ipFamilies []string
          ipFamilyPolicy string (PreferDualStack|RequireDualStack|SingleStack)
          allocateLoadBalancerNodePorts bool
          internalTrafficPolicy string (Cluster|Local)
          trafficDistribution string
        ServiceStatus
          loadBalancer LoadBalancerStatus ={}
          conditions []Condition @type ~type
        Service -- Service is a named abstraction of software service consisting of local port and selector.
          spec ServiceSpec ={}
          status ServiceStatus ={}

        EndpointAddress atomic
          ip! string
          hostname string
          nodeName string
          targetRef ObjectReference
        EndpointPort atomic
          name string
          port! int 1..65535
          protocol string ="TCP" (SCTP|TCP|UDP)
          appProtocol string
        EndpointSubset
          addresses []EndpointAddress
          notReadyAddresses []EndpointAddress
          ports []EndpointPort
        Endpoints -- Endpoints is a collection of endpoints that implement the actual service.
          subsets []EndpointSubset

        EventSource
          component string
          host string
        EventSeries
          count int
          lastObservedTime microtime
        Event -- Event is a report of an event somewhere in the cluster.
          involvedObject ObjectReference ={}
          reason string
          message string
          source EventSource ={}
          firstTimestamp time
          lastTimestamp time
          count int
          type string
          eventTime microtime
          series EventSeries
          action string
          related ObjectReference
          reportingComponent string =""
          reportingInstance string =""

        PersistentVolumeClaimSpec
          accessModes []string
          selector LabelSelector
          resources VolumeResourceRequirements ={}
          volumeName string
          storageClassName string
          volumeMode string ="Filesystem" (Block|Filesystem)
          dataSource TypedLocalObjectReference
          dataSourceRef TypedObjectReference
          volumeAttributesClassName string
        PersistentVolumeClaimStatus
          phase string
          accessModes []string
          capacity {}quantity
          conditions []LegacyCondition @type ~type
          allocatedResources {}quantity
          allocatedResourceStatuses {}string
          currentVolumeAttributesClassName string
        PersistentVolumeClaim -- PersistentVolumeClaim is a user's request for and claim to a persistent volume.
          spec PersistentVolumeClaimSpec ={}
          status PersistentVolumeClaimStatus ={}
        HostPathVolumeSource
          path! string
          type string =""
        LocalVolumeSource
          path! string
          fsType string
        PersistentVolumeSpec open
          capacity {}quantity
          accessModes []string
          claimRef ObjectReference
          persistentVolumeReclaimPolicy string ="Retain" (Delete|Recycle|Retain)
          storageClassName string
          mountOptions []string
          volumeMode string ="Filesystem" (Block|Filesystem)
          nodeAffinity any
          hostPath HostPathVolumeSource
          local LocalVolumeSource
          volumeAttributesClassName string
        PersistentVolumeStatus
          phase string
          message string
          reason string
          lastPhaseTransitionTime time
        PersistentVolume -- PersistentVolume is a storage resource provisioned by an administrator.
          spec PersistentVolumeSpec ={}
          status PersistentVolumeStatus ={}

        ScopedResourceSelectorRequirement
          scopeName! string
          operator! string (DoesNotExist|Exists|In|NotIn)
          values []string
        ScopeSelector atomic
          matchExpressions []ScopedResourceSelectorRequirement
        ResourceQuotaSpec
          hard {}quantity
          scopes []string
          scopeSelector ScopeSelector
        ResourceQuotaStatus
          hard {}quantity
          used {}quantity
        ResourceQuota -- ResourceQuota sets aggregate quota restrictions enforced per namespace.
          spec ResourceQuotaSpec ={}
          status ResourceQuotaStatus ={}
        LimitRangeItem
          type! string
          max {}quantity
          min {}quantity
          default {}quantity
          defaultRequest {}quantity
          maxLimitRequestRatio {}quantity
        LimitRangeSpec
          limits! []LimitRangeItem
        LimitRange -- LimitRange sets resource usage limits for each kind of resource in a Namespace.
          spec LimitRangeSpec
        Binding -- Binding ties one object to another; for example, a pod is bound to a node by a scheduler.
          target! ObjectReference
        """
}
