extension BuiltinTypes {
    static let podText = """
        # io.k8s.api.core.v1
        ConfigMapEnvSource
          name string =""
          optional bool
        SecretEnvSource
          name string =""
          optional bool
        EnvFromSource
          prefix string
          configMapRef ConfigMapEnvSource
          secretRef SecretEnvSource
        EnvVarSource
          fieldRef ObjectFieldSelector
          resourceFieldRef ResourceFieldSelector
          configMapKeyRef ConfigMapKeySelector
          secretKeyRef SecretKeySelector
          fileKeyRef FileKeySelector
        EnvVar
          name! string -- Name of the environment variable.
          value string
          valueFrom EnvVarSource
        ContainerPort
          name string
          hostPort int 0..65535
          containerPort! int 1..65535
          protocol string ="TCP" (SCTP|TCP|UDP)
          hostIP string
        HTTPHeader
          name! string
          value! string
        HTTPGetAction
          path string ="/"
          port! intstr
          host string
          scheme string ="HTTP" (HTTP|HTTPS)
          httpHeaders []HTTPHeader
        TCPSocketAction
          port! intstr
          host string
        GRPCAction
          port! int 1..65535
          service string =""
        ExecAction
          command []string
        SleepAction
          seconds! long
        Probe
          exec ExecAction
          httpGet HTTPGetAction
          tcpSocket TCPSocketAction
          grpc GRPCAction
          initialDelaySeconds int
          timeoutSeconds int =1
          periodSeconds int =10
          successThreshold int =1
          failureThreshold int =3
          terminationGracePeriodSeconds long
        LifecycleHandler
          exec ExecAction
          httpGet HTTPGetAction
          tcpSocket TCPSocketAction
          sleep SleepAction
        Lifecycle
          postStart LifecycleHandler
          preStop LifecycleHandler
          stopSignal string
        Capabilities
          add []string
          drop []string
        SELinuxOptions
          user string
          role string
          type string
          level string
        SeccompProfile
          type! string (Localhost|RuntimeDefault|Unconfined)
          localhostProfile string
        AppArmorProfile
          type! string (Localhost|RuntimeDefault|Unconfined)
          localhostProfile string
        WindowsSecurityContextOptions
          gmsaCredentialSpecName string
          gmsaCredentialSpec string
          runAsUserName string
          hostProcess bool
        SecurityContext
          capabilities Capabilities
          privileged bool
          seLinuxOptions SELinuxOptions
          windowsOptions WindowsSecurityContextOptions
          runAsUser long
          runAsGroup long
          runAsNonRoot bool
          readOnlyRootFilesystem bool
          allowPrivilegeEscalation bool
          procMount string
          seccompProfile SeccompProfile
          appArmorProfile AppArmorProfile
        Sysctl
          name! string
          value! string
        PodSecurityContext
          seLinuxOptions SELinuxOptions
          windowsOptions WindowsSecurityContextOptions
          runAsUser long
          runAsGroup long
          runAsNonRoot bool
          supplementalGroups []long
          supplementalGroupsPolicy string
          fsGroup long
          sysctls []Sysctl
          fsGroupChangePolicy string
          seccompProfile SeccompProfile
          appArmorProfile AppArmorProfile
          seLinuxChangePolicy string
        VolumeMount
          name! string
          readOnly bool
          recursiveReadOnly string
          mountPath! string
          subPath string
          mountPropagation string
          subPathExpr string
        VolumeDevice
          name! string
          devicePath! string
        ContainerResizePolicy
          resourceName! string
          restartPolicy! string
        Container -- A single application container that you want to run within a pod.
          name! string -- Name of the container specified as a DNS_LABEL.
          image string -- Container image name.
          command []string -- Entrypoint array. Not executed within a shell.
          args []string
          workingDir string
          ports []ContainerPort @containerPort,protocol ~containerPort
          envFrom []EnvFromSource
          env []EnvVar @name ~name
          resources ResourceRequirements ={} -- Compute Resources required by this container.
          resizePolicy []ContainerResizePolicy
          restartPolicy string
          restartPolicyRules []any
          volumeMounts []VolumeMount @mountPath ~mountPath
          volumeDevices []VolumeDevice @devicePath ~devicePath
          livenessProbe Probe
          readinessProbe Probe
          startupProbe Probe
          lifecycle Lifecycle
          terminationMessagePath string ="/dev/termination-log"
          terminationMessagePolicy string ="File" (FallbackToLogsOnError|File)
          imagePullPolicy string (Always|IfNotPresent|Never)
          securityContext SecurityContext
          stdin bool
          stdinOnce bool
          tty bool
        EphemeralContainer open
          name! string
          image string
          command []string
          args []string
          targetContainerName string
        EmptyDirVolumeSource
          medium string
          sizeLimit quantity
        ConfigMapVolumeSource
          name string =""
          items []KeyToPath
          defaultMode int =420 0..511
          optional bool
        SecretVolumeSource
          secretName string
          items []KeyToPath
          defaultMode int =420 0..511
          optional bool
        DownwardAPIVolumeFile
          path! string
          fieldRef ObjectFieldSelector
          resourceFieldRef ResourceFieldSelector
          mode int 0..511
        DownwardAPIVolumeSource
          items []DownwardAPIVolumeFile
          defaultMode int =420 0..511
        SecretProjection
          name string =""
          items []KeyToPath
          optional bool
        ConfigMapProjection
          name string =""
          items []KeyToPath
          optional bool
        DownwardAPIProjection
          items []DownwardAPIVolumeFile
        ServiceAccountTokenProjection
          audience string
          expirationSeconds long =3600
          path! string
        VolumeProjection
          secret SecretProjection
          configMap ConfigMapProjection
          downwardAPI DownwardAPIProjection
          serviceAccountToken ServiceAccountTokenProjection
          clusterTrustBundle any
          podCertificate any
        ProjectedVolumeSource
          sources []VolumeProjection
          defaultMode int =420 0..511
        PersistentVolumeClaimVolumeSource
          claimName! string
          readOnly bool
        NFSVolumeSource
          server! string
          path! string
          readOnly bool
        CSIVolumeSource
          driver! string
          readOnly bool
          fsType string
          volumeAttributes {}string
          nodePublishSecretRef LocalObjectReference
        EphemeralVolumeSource
          volumeClaimTemplate any
        ImageVolumeSource
          reference string
          pullPolicy string (Always|IfNotPresent|Never)
        Volume open
          name! string
          hostPath HostPathVolumeSource
          emptyDir EmptyDirVolumeSource
          secret SecretVolumeSource
          configMap ConfigMapVolumeSource
          projected ProjectedVolumeSource
          downwardAPI DownwardAPIVolumeSource
          persistentVolumeClaim PersistentVolumeClaimVolumeSource
          nfs NFSVolumeSource
          csi CSIVolumeSource
          ephemeral EphemeralVolumeSource
          image ImageVolumeSource
        Affinity
          nodeAffinity any
          podAffinity any
          podAntiAffinity any
        HostAlias
          ip! string
          hostnames []string
        PodDNSConfigOption
          name string
          value string
        PodDNSConfig
          nameservers []string
          searches []string
          options []PodDNSConfigOption
        PodReadinessGate
          conditionType! string
        PodSchedulingGate
          name! string
        PodOS
          name! string
        PodResourceClaim
          name! string
          resourceClaimName string
          resourceClaimTemplateName string
        TopologySpreadConstraint
          maxSkew! int
          topologyKey! string
          whenUnsatisfiable! string (DoNotSchedule|ScheduleAnyway)
          labelSelector LabelSelector
          minDomains int
          nodeAffinityPolicy string
          nodeTaintsPolicy string
          matchLabelKeys []string
        PodSpec -- PodSpec is a description of a pod.
          volumes []Volume @name ~name ~retain -- List of volumes that can be mounted by containers of the pod.
          initContainers []Container @name ~name
          containers! []Container @name ~name -- List of containers belonging to the pod.
          ephemeralContainers []EphemeralContainer @name ~name
          restartPolicy string ="Always" (Always|Never|OnFailure)
          terminationGracePeriodSeconds long =30
          activeDeadlineSeconds long
          dnsPolicy string ="ClusterFirst" (ClusterFirst|ClusterFirstWithHostNet|Default|None)
          nodeSelector {}string atomic
          serviceAccountName string
          serviceAccount string
          automountServiceAccountToken bool
          nodeName string
          hostNetwork bool
          hostPID bool
          hostIPC bool
          shareProcessNamespace bool
          securityContext PodSecurityContext ={}
          imagePullSecrets []LocalObjectReference ~name
          hostname string
          hostnameOverride string
          subdomain string
          affinity Affinity
          schedulerName string ="default-scheduler"
          tolerations []Toleration
          hostAliases []HostAlias ~ip
          priorityClassName string
          priority int
          dnsConfig PodDNSConfig
          readinessGates []PodReadinessGate
          runtimeClassName string
          enableServiceLinks bool
          preemptionPolicy string
          overhead {}quantity
          topologySpreadConstraints []TopologySpreadConstraint @topologyKey,whenUnsatisfiable ~topologyKey
          setHostnameAsFQDN bool
          os PodOS
          hostUsers bool
          schedulingGates []PodSchedulingGate @name ~name
          resourceClaims []PodResourceClaim @name ~name ~retain
          resources ResourceRequirements
        ContainerStateWaiting
          reason string
          message string
        ContainerStateRunning
          startedAt time
        ContainerStateTerminated
          exitCode int
          signal int
          reason string
          message string
          startedAt time
          finishedAt time
          containerID string
        ContainerState
          waiting ContainerStateWaiting
          running ContainerStateRunning
          terminated ContainerStateTerminated
        ContainerStatus
          name! string
          state ContainerState ={}
          lastState ContainerState ={}
          ready bool =false
          restartCount int =0
          image string =""
          imageID string =""
          containerID string
          started bool
          allocatedResources {}quantity
          resources ResourceRequirements
          volumeMounts []VolumeMount @mountPath ~mountPath
          user any
          allocatedResourcesStatus []any
          stopSignal string
        PodIP
          ip! string
        HostIP
          ip! string
        PodStatus
          observedGeneration long
          phase string
          conditions []LegacyCondition @type ~type
          message string
          reason string
          nominatedNodeName string
          hostIP string
          hostIPs []HostIP ~ip
          podIP string
          podIPs []PodIP @ip ~ip
          startTime time
          initContainerStatuses []ContainerStatus
          containerStatuses []ContainerStatus
          qosClass string
          ephemeralContainerStatuses []ContainerStatus
          resize string
          resourceClaimStatuses []any
          extendedResourceClaimStatus any
        Pod -- Pod is a collection of containers that can run on a host.
          spec PodSpec ={}
          status PodStatus ={}
        PodTemplateSpec -- PodTemplateSpec describes the data a pod should have when created from a template
          metadata ObjectMeta
          spec PodSpec ={}
        """
}
