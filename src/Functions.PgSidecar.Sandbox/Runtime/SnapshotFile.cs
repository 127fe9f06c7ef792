namespace Functions.PgSidecar.Sandbox.Runtime;

internal static class SnapshotFile
{
    public static void Write(InstanceSnapshot snapshot, Stream destination) => throw new NotImplementedException();
    public static InstanceSnapshot Read(CompiledImage image, Stream source, HostFunctions host) => throw new NotImplementedException();
}
