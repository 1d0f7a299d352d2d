"""
Tests for `ingress.migration.flag_table`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.migration.flag import FlagVerdict
from ingress.migration.flag_table import FLAGS, FORMER_FLAGS

DOCUMENTED = """
annotations-prefix apiserver-host bucket-factor certificate-authority configmap controller-class
deep-inspect default-backend-service default-server-port default-ssl-certificate
disable-catch-all disable-full-test disable-leader-election disable-svc-external-name
disable-sync-events dynamic-configuration-retries election-id election-ttl
enable-annotation-validation enable-metrics enable-ssl-chain-completion enable-ssl-passthrough
enable-topology-aware-routing exclude-socket-metrics health-check-path health-check-timeout
healthz-host healthz-port http-port https-port ingress-class ingress-class-by-name
internal-logger-address kubeconfig length-buckets max-buckets maxmind-edition-ids
maxmind-license-key maxmind-mirror maxmind-retries-count maxmind-retries-timeout metrics-per-host
metrics-per-undefined-host monitor-max-batch-size post-shutdown-grace-period profiler-address
profiler-port profiling publish-service publish-status-address report-node-internal-ip-address
report-status-classes shutdown-grace-period size-buckets ssl-passthrough-proxy-port status-port
status-update-interval stream-port sync-period sync-rate-limit tcp-services-configmap time-buckets
udp-services-configmap update-status update-status-on-shutdown validating-webhook
validating-webhook-certificate validating-webhook-key version watch-ingress-without-class
watch-namespace watch-namespace-selector
"""
"""The flags of pkg/flags/flags.go in version 1.15.1."""

KLOG = """
add_dir_header alsologtostderr legacy_stderr_threshold_behavior log_backtrace_at log_dir log_file
log_file_max_size logtostderr one_output skip_headers skip_log_headers stderrthreshold v vmodule
"""
"""Those of klog 2.140, which it logs with."""


class FlagTableTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """Every flag of ingress-nginx is there, and no other one."""
        self.assertEqual(set(FLAGS), set(DOCUMENTED.split()) | set(KLOG.split()))

    def test_former(self) -> None:
        """No flag that 1.15 has counts as a former one."""
        self.assertEqual(FORMER_FLAGS & set(FLAGS), set())

    def test_defaults(self) -> None:
        """Each default can be read."""
        for flag in FLAGS.values():
            if flag.default:
                flag.kind.read(flag.default)

    def test_keys(self) -> None:
        """Flags that set something say which key; the others name none."""
        for flag in FLAGS.values():
            sets = flag.verdict is FlagVerdict.SETS and flag.name != "version"
            self.assertEqual(bool(flag.becomes), sets, flag.name)

    def test_texts(self) -> None:
        """Each flag says what it does or what follows, in a cell of a table."""
        for flag in FLAGS.values():
            self.assertTrue(flag.effect, flag.name)
            self.assertNotRegex(flag.effect, r"\||\.$|\n")
