using System.Text.Json;
using System.Text.Json.Serialization;

namespace BlockRepl.Administration.Control;

/// <summary>
/// The control socket's messages as JSON, without reflection. An unknown member is refused, not ignored.
/// </summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Web,
    MaxDepth = 8,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
[JsonSerializable(typeof(NodeStatus))]
public sealed partial class ControlJson : JsonSerializerContext;

/// <summary>As <see cref="ControlJson"/>, for people's eyes.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(NodeStatus))]
public sealed partial class IndentedJson : JsonSerializerContext;
