using System.Buffers;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Protocol.Pdus;
using BlockRepl.Iscsi.Protocol.Scsi;

namespace BlockRepl.Iscsi.Protocol.Session;

/// <summary>Where a session is in its life.</summary>
internal enum SessionState
{
    LoggingIn,

    /// <summary>The target named another portal to log in at.</summary>
    Moved,

    /// <summary>Commands may be started.</summary>
    Ready,

    LoggingOut,
    Ended,
}

/// <summary>
/// One session over one connection, from the first login request to the logout, with one command at a time. Bytes of
/// the target go in, bytes for it come out; whoever owns the session moves them and watches the clock. Any exception
/// is the end of the connection.
/// </summary>
internal sealed class InitiatorSession
{
    private const int LoginSegment = 8192;
    private const int MaxLoginRounds = 24;
    private const uint FirstCmdSn = 1;

    private readonly LoginSettings _settings;
    private readonly LoginExchange _login;
    private readonly ArrayBufferWriter<byte> _output = new();
    private readonly ArrayBufferWriter<byte> _loginText = new();
    private LoginStep _step;
    private int _rounds;
    private Digests _digests;
    private uint _expStatSn;
    private uint _cmdSn = FirstCmdSn;
    private uint _maxCmdSn = FirstCmdSn;
    private uint _lastTag;
    private uint _pingTag = HeaderLayout.NoTag;
    private ScsiTask? _task;
    private ScsiResult? _result;

    public InitiatorSession(LoginSettings settings)
    {
        _settings = settings;
        _login = new LoginExchange(settings);
        SendLogin(_login.First());
    }

    public SessionState State { get; private set; } = SessionState.LoggingIn;

    /// <summary>Where to log in instead, in state Moved.</summary>
    public Portal? MovedTo { get; private set; }

    /// <summary>What is to be sent; the owner clears it when done.</summary>
    public ArrayBufferWriter<byte> Output => _output;

    public bool IsPinging => _pingTag != HeaderLayout.NoTag;

    /// <summary>Takes all whole PDUs off the front of the buffer.</summary>
    public void Receive(ref ReadOnlySequence<byte> buffer)
    {
        while (State != SessionState.Moved && PduReader.TryRead(ref buffer, _digests, MaxSegment, out IncomingPdu pdu))
        {
            Handle(pdu);
        }
    }

    /// <summary>Begins a command; it is sent at once or when the target's window opens.</summary>
    public void Start(ScsiCommand command)
    {
        if (State != SessionState.Ready || _task is not null)
        {
            throw new InvalidOperationException("a command is started in a session that is not ready for it");
        }

        _result = null;
        _task = new ScsiTask(command, NextTag());
        SendTask();
    }

    /// <summary>The end of the command, once.</summary>
    public bool TryTakeResult(out ScsiResult result)
    {
        result = _result.GetValueOrDefault();
        bool hasResult = _result is not null;
        _result = null;
        return hasResult;
    }

    /// <summary>Asks the target for a sign of life.</summary>
    public void Ping()
    {
        _pingTag = NextTag();
        SendNop(0, _pingTag, HeaderLayout.NoTag);
    }

    public void Logout()
    {
        State = SessionState.LoggingOut;
        _task = null;
        Span<byte> header = stackalloc byte[HeaderLayout.Size];
        header.Clear();
        new LogoutRequest(NextTag(), _cmdSn, _expStatSn).Encode(header);
        PduWriter.Write(_output, header, default, _digests);
    }

    private int MaxSegment => State == SessionState.LoggingIn ? LoginSegment : OperationalParameters.MaxTransfer;

    private void Handle(in IncomingPdu pdu)
    {
        if (State == SessionState.LoggingIn != (pdu.Opcode == Opcode.LoginResponse))
        {
            string when = State == SessionState.LoggingIn ? "in" : "after";
            throw pdu.Opcode == Opcode.Reject
                ? IscsiException.Violation($"it rejects our login request: {Reject.Decode(pdu.Header).Words}")
                : IscsiException.Violation($"a {pdu.Opcode} PDU {when} the login");
        }

        TargetNumbers numbers = TargetNumbers.Decode(pdu.Header);
        if (State != SessionState.LoggingIn && CarriesStatus(pdu))
        {
            if (numbers.StatSn != _expStatSn)
            {
                throw IscsiException.Violation($"status number {numbers.StatSn} where {_expStatSn} must follow");
            }

            _expStatSn++;
        }

        Dispatch(pdu, numbers);
        OpenWindow(numbers);
    }

    private void Dispatch(in IncomingPdu pdu, in TargetNumbers numbers)
    {
        switch (pdu.Opcode)
        {
            case Opcode.LoginResponse:
                TakeLogin(LoginResponse.Decode(pdu.Header), numbers, pdu);
                break;
            case Opcode.ScsiResponse:
                TakeResponse(ScsiResponse.Decode(pdu.Header), pdu.Data);
                break;
            case Opcode.DataIn:
                TakeData(DataIn.Decode(pdu.Header), pdu.Data);
                break;
            case Opcode.ReadyToTransfer:
                SendData(ReadyToTransfer.Decode(pdu.Header));
                break;
            case Opcode.NopIn:
                TakeNop(NopIn.Decode(pdu.Header));
                break;
            case Opcode.LogoutResponse when State == SessionState.LoggingOut:
                State = SessionState.Ended;
                break;
            case Opcode.Reject:
                throw new IscsiException(
                    IscsiError.ConnectionLost, $"the target rejected a PDU: {Reject.Decode(pdu.Header).Words}");
            case Opcode.AsyncMessage:
                if (AsyncMessage.Decode(pdu.Header).EndOfSession is { } end)
                {
                    throw new IscsiException(IscsiError.ConnectionLost, end);
                }

                break;
            default:
                throw IscsiException.Violation($"a {pdu.Opcode} PDU that answers nothing");
        }
    }

    /// <summary>Whether the PDU's StatSN counts; in others the field only tells what the next one will be.</summary>
    private static bool CarriesStatus(in IncomingPdu pdu) => pdu.Opcode switch
    {
        Opcode.DataIn => DataIn.Decode(pdu.Header).HasStatus,
        Opcode.NopIn => NopIn.Decode(pdu.Header).TaskTag != HeaderLayout.NoTag,
        Opcode.ReadyToTransfer => false,
        _ => true,
    };

    // The login.

    private void SendLogin(LoginStep step)
    {
        if (++_rounds > MaxLoginRounds)
        {
            throw IscsiException.Violation($"the login is not over after {MaxLoginRounds} requests");
        }

        _step = step;
        Span<byte> header = stackalloc byte[HeaderLayout.Size];
        header.Clear();
        new LoginRequest(step.Transit, step.Stage, step.NextStage, _settings.Isid, 0, 0, _cmdSn, _expStatSn)
            .Encode(header);
        PduWriter.Write(_output, header, step.Keys.Encode(), default);
    }

    private void TakeLogin(in LoginResponse response, in TargetNumbers numbers, in IncomingPdu pdu)
    {
        _expStatSn = numbers.StatSn + 1;
        if (response.TaskTag != 0)
        {
            throw IscsiException.Violation("a login response to someone else's request");
        }

        CollectLoginText(pdu.Data);
        if (response.StatusClass != 0)
        {
            TakeRefusal(response);
            return;
        }

        bool mayTransit = _step.Transit && !response.Continues && response.NextStage == (byte)_step.NextStage;
        if (response.ActiveVersion != 0 || response.Stage != (byte)_step.Stage || (response.Transit && !mayTransit))
        {
            throw IscsiException.Violation("a login response that does not fit our request's stage or version");
        }

        if (response.Continues)
        {
            SendLogin(_step with { Transit = false, Keys = new TextKeys() });
            return;
        }

        LoginStep? next = _login.Next(response.Transit, TakeLoginText());
        if (next is { } step)
        {
            SendLogin(step);
            return;
        }

        if (response.Tsih == 0)
        {
            throw IscsiException.Violation("a session without a handle");
        }

        _digests = _login.Parameters.Digests;
        State = SessionState.Ready;
    }

    private void TakeRefusal(in LoginResponse response)
    {
        if (response.StatusClass != 1)
        {
            throw LoginStatus.Refusal(
                response.StatusClass, response.StatusDetail, _settings.Chap, _settings.TargetName);
        }

        // host:port,tpgt
        string address = TakeLoginText().Require("TargetAddress");
        MovedTo = Portal.Parse(address.Split(',')[0])
            ?? throw IscsiException.Violation($"it moved to {Printable.Text(address)}, which is no address");
        State = SessionState.Moved;
    }

    private void CollectLoginText(in ReadOnlySequence<byte> text)
    {
        if (_loginText.WrittenCount + text.Length > TextKeys.MaxBytes)
        {
            throw IscsiException.Violation($"login text of more than {TextKeys.MaxBytes} bytes");
        }

        foreach (ReadOnlyMemory<byte> part in text)
        {
            _loginText.Write(part.Span);
        }
    }

    private TextKeys TakeLoginText()
    {
        TextKeys keys = TextKeys.Decode(_loginText.WrittenSpan);
        _loginText.ResetWrittenCount();
        return keys;
    }

    // Commands.

    private void SendTask()
    {
        if (_task is not { IsSent: false } task || IsBefore(_maxCmdSn, _cmdSn))
        {
            return;
        }

        ReadOnlyMemory<byte> data = task.Command.DataOut;
        int immediate = Math.Min(data.Length, _login.Parameters.MaxImmediate);
        bool reads = task.Command.DataIn.Length > 0;
        int length = reads ? task.Command.DataIn.Length : data.Length;
        Span<byte> header = stackalloc byte[HeaderLayout.Size];
        header.Clear();
        new ScsiCommandRequest(
            reads, data.Length > 0, _settings.Lun, task.Tag, (uint)length, _cmdSn, _expStatSn, task.Command.Cdb)
            .Encode(header);
        PduWriter.Write(_output, header, data.Span[..immediate], _digests);
        task.Sent(immediate);
        _cmdSn++;
    }

    private void SendData(in ReadyToTransfer request)
    {
        ReadOnlyMemory<byte> data = TaskOf(request.TaskTag).Take(request, _login.Parameters.MaxBurst);
        Span<byte> header = stackalloc byte[HeaderLayout.Size];
        uint number = 0;
        for (int offset = 0; offset < data.Length; number++)
        {
            int size = Math.Min(data.Length - offset, _login.Parameters.TargetSegment);
            header.Clear();
            new DataOutRequest(
                offset + size == data.Length, _settings.Lun, request.TaskTag, request.TransferTag, _expStatSn, number,
                request.Offset + (uint)offset).Encode(header);
            PduWriter.Write(_output, header, data.Span.Slice(offset, size), _digests);
            offset += size;
        }
    }

    private void TakeData(in DataIn part, in ReadOnlySequence<byte> data)
    {
        ScsiTask task = TaskOf(part.TaskTag);
        task.Take(part, data);
        if (part.HasStatus)
        {
            End(task, part.Status, part.Residual, default);
        }
    }

    private void TakeResponse(in ScsiResponse response, in ReadOnlySequence<byte> data)
    {
        ScsiTask task = TaskOf(response.TaskTag);
        if (response.Response != 0)
        {
            throw new IscsiException(
                IscsiError.ConnectionLost, $"the target could not carry out {task.Command.Name} at all");
        }

        // The length is 16 bits wide, and only the first bytes are decoded.
        ReadOnlySequence<byte> start = data.Slice(0, Math.Min(data.Length, 260));
        End(task, response.Status, response.Residual, SenseData.Decode(start.ToArray()));
    }

    private void End(ScsiTask task, byte status, in Residual residual, in SenseData sense)
    {
        if (status == 0)
        {
            task.CheckGoodEnd(residual);
        }

        _result = new ScsiResult(status, task.Received, sense);
        _task = null;
    }

    private ScsiTask TaskOf(uint tag) =>
        _task is { IsSent: true } task && task.Tag == tag
            ? task
            : throw IscsiException.Violation($"a PDU for task 0x{tag:x8}, which is none of ours");

    // Signs of life.

    private void TakeNop(in NopIn nop)
    {
        if (nop.TaskTag != HeaderLayout.NoTag)
        {
            if (nop.TaskTag != _pingTag)
            {
                throw IscsiException.Violation("an answer to a ping that was none of ours");
            }

            _pingTag = HeaderLayout.NoTag;
        }
        else if (nop.TransferTag != HeaderLayout.NoTag)
        {
            SendNop(nop.Lun, HeaderLayout.NoTag, nop.TransferTag);
        }
    }

    private void SendNop(ulong lun, uint taskTag, uint transferTag)
    {
        Span<byte> header = stackalloc byte[HeaderLayout.Size];
        header.Clear();
        new NopOutRequest(lun, taskTag, transferTag, _cmdSn, _expStatSn).Encode(header);
        PduWriter.Write(_output, header, default, _digests);
    }

    /// <summary>MaxCmdSN only ever moves up; the two numbers are wrong if they are more than a window apart.</summary>
    private void OpenWindow(in TargetNumbers numbers)
    {
        if (!IsBefore(numbers.MaxCmdSn, numbers.ExpCmdSn - 1) && IsBefore(_maxCmdSn, numbers.MaxCmdSn))
        {
            _maxCmdSn = numbers.MaxCmdSn;
        }

        if (State == SessionState.Ready)
        {
            SendTask();
        }
    }

    private static bool IsBefore(uint left, uint right) => (int)(left - right) < 0;

    private uint NextTag()
    {
        _lastTag = _lastTag + 1 == HeaderLayout.NoTag ? 1 : _lastTag + 1;
        return _lastTag;
    }
}
