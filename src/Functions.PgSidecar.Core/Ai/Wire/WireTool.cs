using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>A tool that the model may call and the caller runs.</summary>
internal sealed class WireTool : AIFunctionDeclaration
{
    private static readonly JsonElement NoParameters = JsonElement.Parse("""{"type":"object","properties":{}}""");

    /// <param name="name">Its name.</param>
    /// <param name="description">What it does, for the model.</param>
    /// <param name="parameters">The JSON schema of its arguments; undefined if it has none.</param>
    /// <param name="isStrict">Whether the arguments must match the schema; null leaves it to the provider.</param>
    public WireTool(string name, string? description, JsonElement parameters, bool? isStrict)
    {
        Name = name;
        Description = description ?? "";
        // Kept longer than the request's document.
        JsonSchema = parameters.ValueKind == JsonValueKind.Object ? parameters.Clone() : NoParameters;
        // The name under which Microsoft.Extensions.AI.OpenAI looks for it.
        AdditionalProperties = isStrict is { } strict ? new Dictionary<string, object?> { ["strict"] = strict } : [];
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override string Description { get; }

    /// <inheritdoc/>
    public override JsonElement JsonSchema { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, object?> AdditionalProperties { get; }
}
