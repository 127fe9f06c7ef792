namespace Functions.PgSidecar.Core.Ai.Definitions;

/// <summary>The wire format that a provider speaks.</summary>
internal enum AiProviderKind
{
    /// <summary>OpenAI's chat completions and embeddings, which most servers speak.</summary>
    OpenAi,

    /// <summary>Anthropic's messages.</summary>
    Anthropic,
}

/// <summary>A service that runs models (<c>functions.set_ai_provider</c>).</summary>
internal sealed record AiProvider
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it speaks.</summary>
    public required AiProviderKind Kind { get; init; }

    /// <summary>Where it is; of OpenAI's kind with the version that its paths begin with.</summary>
    public required Uri BaseUrl { get; init; }

    /// <summary>The time for one attempt.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>The time until the first chunk of a stream.</summary>
    public required TimeSpan FirstChunkTimeout { get; init; }

    /// <summary>How often it is asked again after a passing failure.</summary>
    public required int Retries { get; init; }

    /// <summary>The models that it has; null: anything.</summary>
    public required IReadOnlyList<string>? Models { get; init; }

    /// <summary>Whether requests and answers are stored in the log of calls.</summary>
    public required bool LogsContents { get; init; }

    /// <summary>When it was set; another value is another definition.</summary>
    public required DateTime UpdatedAt { get; init; }

    /// <summary>The key, if it needs one.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Further headers of its requests.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Why it can't be asked: its credentials can't be read, or belong to the original of this copy. Null if it can.</summary>
    public SidecarException? Failure { get; init; }

    /// <summary>Without the credentials.</summary>
    public override string ToString() => $"{Name} ({BaseUrl})";
}
