using System.Buffers;
using System.IO.Pipelines;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Protocol.Scsi;
using BlockRepl.Iscsi.Protocol.Session;

namespace BlockRepl.Iscsi.Net;

/// <summary>A session and its connection: moves the bytes between them, each time until a deadline.</summary>
internal sealed class TargetConnection : IDisposable
{
    private const int ReceiveSize = 16384;
    private const int MaxListens = 16;

    private readonly INetwork _network;
    private readonly ITargetStream _stream;
    private readonly InitiatorSession _session;

    // Without a threshold a flush never waits; what is not parsed yet is bounded by the largest PDU.
    private readonly Pipe _received = new(new PipeOptions(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0));

    private TargetConnection(INetwork network, ITargetStream stream, LoginSettings settings)
    {
        _network = network;
        _stream = stream;
        _session = new InitiatorSession(settings);
        LastHeardMs = network.NowMs;
    }

    /// <summary>When the target last sent anything.</summary>
    public long LastHeardMs { get; private set; }

    /// <summary>Where the target sent us instead of letting us in.</summary>
    public Portal? MovedTo => _session.MovedTo;

    public bool IsPinging => _session.IsPinging;

    /// <summary>Connects and logs in, or is told where to go instead.</summary>
    public static TargetConnection Open(INetwork network, Portal portal, LoginSettings settings, long deadlineMs)
    {
        var connection = new TargetConnection(network, network.Connect(portal, deadlineMs), settings);
        try
        {
            while (connection._session.State == SessionState.LoggingIn)
            {
                connection.Exchange(deadlineMs, "the login");
            }

            return connection;
        }
        catch (Exception)
        {
            connection.Dispose();
            throw;
        }
    }

    public ScsiResult Run(ScsiCommand command, long deadlineMs)
    {
        _session.Start(command);
        ScsiResult result;
        while (!_session.TryTakeResult(out result))
        {
            Exchange(deadlineMs, command.Name);
        }

        return result;
    }

    /// <summary>Takes and answers what has come in the meantime, without waiting.</summary>
    public void Listen()
    {
        for (int i = 0; i < MaxListens && TryExchange(_network.NowMs); i++)
        {
        }

        SendOutput(_network.NowMs);
    }

    public void Ping()
    {
        _session.Ping();
        SendOutput(_network.NowMs);
    }

    public void Logout(long deadlineMs)
    {
        _session.Logout();
        while (_session.State != SessionState.Ended)
        {
            Exchange(deadlineMs, "the logout");
        }
    }

    public void Dispose() => _stream.Dispose();

    private void Exchange(long deadlineMs, string what)
    {
        // A target that never stops talking does not gain time by it.
        if (_network.NowMs >= deadlineMs || !TryExchange(deadlineMs))
        {
            throw new IscsiException(IscsiError.TimedOut, $"the target did not answer {what} in time");
        }
    }

    /// <summary>Sends what is to be sent and takes what comes; false if nothing came until the deadline.</summary>
    private bool TryExchange(long deadlineMs)
    {
        SendOutput(deadlineMs);
        int? count = _stream.Receive(_received.Writer.GetSpan(ReceiveSize), deadlineMs);
        if (count is null)
        {
            return false;
        }

        if (count == 0)
        {
            throw new IscsiException(IscsiError.ConnectionLost, "the target closed the connection");
        }

        LastHeardMs = _network.NowMs;
        _received.Writer.Advance(count.Value);
        _received.Writer.FlushAsync().AsTask().Wait();
        if (_received.Reader.TryRead(out ReadResult read))
        {
            ReadOnlySequence<byte> rest = read.Buffer;
            _session.Receive(ref rest);
            _received.Reader.AdvanceTo(rest.Start, read.Buffer.End);
        }

        return true;
    }

    private void SendOutput(long deadlineMs)
    {
        if (_session.Output.WrittenCount > 0)
        {
            _stream.Send(_session.Output.WrittenSpan, deadlineMs);
            _session.Output.ResetWrittenCount();
        }
    }
}
