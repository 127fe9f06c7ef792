using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>
/// <c>wasi:filesystem</c> and <c>wasi:sockets</c>, which exist so that components of every tool chain link. No directory is preopened, so
/// no component has a descriptor; no socket can be created.
/// </summary>
internal static class RefusedFunctions
{
    private const string Files = "wasi:filesystem/types";
    private const string Tcp = "wasi:sockets/tcp";
    private const string Udp = "wasi:sockets/udp";

    /// <summary>Methods of descriptors and sockets.</summary>
    public static IEnumerable<(string Interface, string Function)> Unreachable =>
        [
            .. Methods(
                Files,
                "descriptor",
                "read-via-stream write-via-stream append-via-stream advise sync-data get-flags get-type set-size set-times read write "
                    + "read-directory sync create-directory-at stat stat-at set-times-at link-at open-at readlink-at remove-directory-at "
                    + "rename-at symlink-at unlink-file-at is-same-object metadata-hash metadata-hash-at"
            ),
            .. Methods(Files, "directory-entry-stream", "read-directory-entry"),
            .. Methods("wasi:sockets/ip-name-lookup", "resolve-address-stream", "resolve-next-address subscribe"),
            .. Methods(
                Tcp,
                "tcp-socket",
                "start-bind finish-bind start-connect finish-connect start-listen finish-listen accept local-address remote-address "
                    + "is-listening address-family set-listen-backlog-size keep-alive-enabled set-keep-alive-enabled keep-alive-idle-time "
                    + "set-keep-alive-idle-time keep-alive-interval set-keep-alive-interval keep-alive-count set-keep-alive-count hop-limit "
                    + "set-hop-limit receive-buffer-size set-receive-buffer-size send-buffer-size set-send-buffer-size subscribe shutdown"
            ),
            .. Methods(
                Udp,
                "udp-socket",
                "start-bind finish-bind stream local-address remote-address address-family unicast-hop-limit set-unicast-hop-limit "
                    + "receive-buffer-size set-receive-buffer-size send-buffer-size set-send-buffer-size subscribe"
            ),
            .. Methods(Udp, "incoming-datagram-stream", "receive subscribe"),
            .. Methods(Udp, "outgoing-datagram-stream", "check-send send subscribe"),
        ];

    [ComponentFunction("wasi:filesystem/preopens", "get-directories")]
    public static void GetDirectories(in ComponentCall call) => call.Return(Values.List());

    [ComponentFunction(Files, "filesystem-error-code")]
    [ComponentFunction("wasi:sockets/network", "network-error-code")]
    [ComponentFunction("wasi:http/types", "http-error-code")]
    public static void ErrorCode(in ComponentCall call)
    {
        call.Resource(0);
        call.Return(Values.None);
    }

    [ComponentFunction("wasi:sockets/instance-network", "instance-network")]
    public static void InstanceNetwork(in ComponentCall call) =>
        call.Return(ComponentProcess.Of(call).New(call, WasiResource.Network, "network"));

    [ComponentFunction("wasi:sockets/tcp-create-socket", "create-tcp-socket")]
    [ComponentFunction("wasi:sockets/udp-create-socket", "create-udp-socket")]
    public static void CreateSocket(in ComponentCall call) => call.Return(Denied());

    [ComponentFunction("wasi:sockets/ip-name-lookup", "resolve-addresses")]
    public static void ResolveAddresses(in ComponentCall call)
    {
        call.Resource(0);
        call.Return(Denied());
    }

    private static ComponentValue Denied() => Values.Error(Values.Enum("access-denied"));

    private static IEnumerable<(string Interface, string Function)> Methods(string name, string resource, string methods) =>
        methods.Split(' ').Select(method => (name, $"[method]{resource}.{method}"));
}
