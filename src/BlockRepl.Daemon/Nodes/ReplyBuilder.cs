using System.Text;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Core;

namespace BlockRepl.Daemon.Nodes;

/// <summary>Collects what the steps of one command have to say; the highest exit code is the command's.</summary>
internal sealed class ReplyBuilder
{
    private readonly List<string> _messages = [];
    private readonly StringBuilder _output = new();

    public int ExitCode { get; private set; }

    public IReadOnlyList<string> Messages => _messages;

    /// <summary>So bad that no further resource is tried.</summary>
    public bool EndsRun => ExitCode >= ExitCodes.CannotExecute;

    public void Add(string message) => _messages.Add(message);

    public void AddOutput(string line) => _output.Append(line).Append('\n');

    public void Fail(int exitCode, string message)
    {
        ExitCode = Math.Max(ExitCode, exitCode);
        _messages.Add(message);
    }

    /// <summary>Notes a step's result; false if it was refused.</summary>
    public bool Note(string target, CommandResult result)
    {
        if (result.Succeeded)
        {
            if (result.Message.Length > 0)
            {
                Add($"{target}: {result.Message}");
            }

            return true;
        }

        Fail(ExitCodes.FromResult(result.Code), ExitCodes.Describe(target, result.Code, result.Message));
        return false;
    }

    public ControlReply Build() => new() { ExitCode = ExitCode, Messages = _messages, Output = _output.ToString() };
}
