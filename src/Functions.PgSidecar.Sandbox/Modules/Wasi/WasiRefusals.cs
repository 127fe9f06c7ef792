using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Wasi;

/// <summary>
/// The unsupported rest of WASI preview 1: files, directories, sockets. The calls exist so that modules of every tool chain link. They
/// answer as the specification says for descriptors that are not open, or for rights that a stream does not have.
/// </summary>
internal static class WasiRefusals
{
    /// <summary>Reports that no directory is preopened; by this a C library finds that there is no file system.</summary>
    [HostFunction(WasiCalls.Module, "fd_prestat_get")]
    public static int PrestatGet(int descriptor, int result, Instance instance) => (int)Errno.BadDescriptor;

    [HostFunction(WasiCalls.Module, "fd_prestat_dir_name")]
    public static int PrestatDirName(int descriptor, int path, int length, Instance instance) => (int)Errno.BadDescriptor;

    [HostFunction(WasiCalls.Module, "fd_advise")]
    public static int Advise(int descriptor, long offset, long length, int advice, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "fd_allocate")]
    public static int Allocate(int descriptor, long offset, long length, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "fd_fdstat_set_rights")]
    public static int SetRights(int descriptor, long rights, long inheriting, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "fd_filestat_set_size")]
    public static int SetSize(int descriptor, long size, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "fd_filestat_set_times")]
    public static int SetTimes(int descriptor, long access, long modification, int flags, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "fd_readdir")]
    public static int ReadDirectory(int descriptor, int buffer, int length, long cookie, int result, Instance instance) =>
        Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "fd_renumber")]
    public static int Renumber(int from, int to, Instance instance) => WasiStreams.IsOpen(from) ? Refuse(to) : Refuse(from);

    [HostFunction(WasiCalls.Module, "path_create_directory")]
    [HostFunction(WasiCalls.Module, "path_remove_directory")]
    [HostFunction(WasiCalls.Module, "path_unlink_file")]
    public static int Path(int descriptor, int path, int length, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_filestat_get")]
    public static int PathStatGet(int descriptor, int flags, int path, int length, int result, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_filestat_set_times")]
    public static int PathSetTimes(
        int descriptor,
        int flags,
        int path,
        int length,
        long access,
        long modification,
        int which,
        Instance instance
    ) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_link")]
    public static int PathLink(
        int descriptor,
        int flags,
        int path,
        int length,
        int newDescriptor,
        int newPath,
        int newLength,
        Instance instance
    ) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_open")]
    public static int PathOpen(
        int descriptor,
        int flags,
        int path,
        int length,
        int open,
        long rights,
        long inheriting,
        int more,
        int result,
        Instance instance
    ) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_readlink")]
    public static int PathReadLink(int descriptor, int path, int length, int buffer, int size, int result, Instance instance) =>
        Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_rename")]
    public static int PathRename(int descriptor, int path, int length, int newDescriptor, int newPath, int newLength, Instance instance) =>
        Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "path_symlink")]
    public static int PathSymlink(int target, int targetLength, int descriptor, int path, int length, Instance instance) =>
        Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "sock_accept")]
    public static int SocketAccept(int descriptor, int flags, int result, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "sock_recv")]
    public static int SocketReceive(int descriptor, int vectors, int count, int flags, int read, int outFlags, Instance instance) =>
        Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "sock_send")]
    public static int SocketSend(int descriptor, int vectors, int count, int flags, int written, Instance instance) => Refuse(descriptor);

    [HostFunction(WasiCalls.Module, "sock_shutdown")]
    public static int SocketShutdown(int descriptor, int how, Instance instance) => Refuse(descriptor);

    private static int Refuse(int descriptor) => (int)WasiStreams.OnStream(descriptor, Errno.NotCapable);
}
